/** `sphere whoami` */
import type { CommandFile } from '../command.ts';

export const command: CommandFile = {
  examples: [['sphere whoami', 'the account on stdout, the plane and the token beside it']],
  define() {},
  async run(context) {
    const { choosePlane, noPlaneYet } = await import('../plane-choice.ts');
    const choice = choosePlane(context);
    if (choice.kind === 'none') throw noPlaneYet();
    if (choice.kind === 'embedded') {
      context.output.note(`The plane on this machine, in ${choice.home}, needs no sign-in.`);
      return { json: { plane: 'local', account: null, admin: true, token: null }, text: 'this machine' };
    }
    const [{ createApi }, { askWhoAmI, describeSignIn }] = await Promise.all([
      import('../api.ts'),
      import('../sign-in.ts'),
    ]);
    const api = createApi(choice.address);
    const who = await askWhoAmI(api);
    api.close();
    const { account, token } = who;
    const described = describeSignIn({
      account,
      tokenName: token?.name ?? null,
      expiresAt: token?.expiresAt ?? null,
    });
    context.output.note(`${described} at ${choice.address.url} (${choice.urlFrom}), Sphere ${who.version}`);
    return { json: { plane: choice.address.url, ...who }, text: account ?? 'admin' };
  },
};
