/** `sphere server`, and its `status`, `stop` and `check` */
import type { CommandFile, Context, Result } from '../command.ts';

export const command: CommandFile = {
  examples: [
    ['sphere server', 'the plane of this machine, in the foreground'],
    ['sphere server status', 'whether it runs, and what it does'],
    ['sphere server check', 'what a hosted plane needs, a line each with the fix'],
  ],
  notes: 'Without a subcommand the plane runs in the foreground until Ctrl-C.',
  define(command) {
    command.option('--port <port>', 'the port to listen on; default: the one it had before, else any');
  },
  run: serve,
  subcommands: [
    { name: 'status', summary: 'show whether the plane runs, and what it does', run: status },
    { name: 'stop', summary: 'stop the plane; builds that run go on when it is back', run: stop },
    {
      name: 'check',
      summary: 'look at everything that a hosted plane needs, before it is started',
      run: check,
    },
    {
      name: 'rotate-key',
      summary: 'change the key under which secrets are kept',
      run: rotateKey,
    },
  ],
};

async function serve(context: Context, _args: string[], options: { port?: string }): Promise<Result | null> {
  const port = options.port === undefined ? undefined : await readPort(options.port);
  const { output, environment } = context;
  const server = await throughDoor(({ startServer }) =>
    startServer({ port, home: environment.home }, environment.forChildren, output.note),
  );
  if ('held' in server) {
    await sayHeld(context, server.held, port);
    return null;
  }
  if (server.notice) output.warn(server.notice);
  output.note(`Serving ${server.home ?? 'a replica of the hosted plane'} at ${server.url}`);
  const release = context.interrupt.hold(() => void server.stop());
  await server.ended;
  release();
  return null;
}

const openDoor = () => import('../../server/main.ts');
type Server = Awaited<ReturnType<typeof openDoor>>;

/**
 * Calls the server, which is a program of its own. So is its SphereError, once it is bundled: what it throws of those is
 * thrown again as this program's.
 */
async function throughDoor<T>(call: (server: Server) => Promise<T>): Promise<T> {
  try {
    return await call(await openDoor());
  } catch (error) {
    const { SphereError } = await import('../../contract/errors.ts');
    if (!(error instanceof Error) || error.name !== 'SphereError' || !('toBody' in error)) throw error;
    throw SphereError.fromBody((error as InstanceType<typeof SphereError>).toBody(), error);
  }
}

/** Another process serves the directory. Throws `PLANE_BUSY` when it does so on another port than the wanted one. */
async function sayHeld(
  { output, environment }: Context,
  held: { pid: number; home: string },
  port: number | undefined,
): Promise<void> {
  const { answeringPlane } = await import('../plane-process.ts');
  // Null while it is still starting: then nobody knows its address yet.
  const file = await answeringPlane(environment.home);
  const at = file ? ` at ${file.url}` : '';
  const has = file ? Number(new URL(file.url).port) : null;
  if (port !== undefined && has !== null && has !== port) {
    const { SphereError } = await import('../../contract/errors.ts');
    throw new SphereError('PLANE_BUSY', `Process ${held.pid} serves ${held.home} already, on port ${has}.`, {
      hint: `To change the port: \`sphere server stop\`, then \`sphere server --port ${port}\`.`,
    });
  }
  output.note(`Process ${held.pid} serves ${held.home} already${at}.`);
}

async function readPort(text: string): Promise<number> {
  const port = Number(text);
  if (Number.isInteger(port) && port >= 1 && port <= 65_535) return port;
  const { SphereError } = await import('../../contract/errors.ts');
  throw new SphereError('USAGE', `--port takes a number from 1 to 65535, not "${text}".`);
}

/** The plane on this machine is meant, whatever SPHERE_URL says. */
async function status(context: Context): Promise<Result> {
  const { home } = context.environment;
  const [{ answeringPlane }, { createApi }, { ago, bytes, table }] = await Promise.all([
    import('../plane-process.ts'),
    import('../api.ts'),
    import('../format.ts'),
  ]);
  const file = await answeringPlane(home);
  if (!file) {
    return {
      json: { running: false, dataDirectory: home },
      text: `No plane runs on ${home}. The next command that needs it starts it.`,
    };
  }
  const state = await createApi(file).planeStatus();
  const builds = state.runningBuilds.map(({ deployment, project }) => `${project} ${deployment}`);
  return {
    json: { running: true, ...state },
    text: table([
      ['address', state.url],
      ['process', String(state.pid)],
      ['version', state.version],
      ['started', ago(state.startedAt, Date.now())],
      ['data', state.dataDirectory ?? 'in the database and the stores'],
      ['memory', bytes(state.memory)],
      ['builds', builds.length === 0 ? 'none' : builds.join(', ')],
    ]),
  };
}

async function stop(context: Context): Promise<Result> {
  const { home } = context.environment;
  const [{ answeringPlane }, { createApi }, { waitForExit }] = await Promise.all([
    import('../plane-process.ts'),
    import('../api.ts'),
    import('../plane.ts'),
  ]);
  const file = await answeringPlane(home);
  if (!file) return { json: { stopped: false, dataDirectory: home }, text: `No plane runs on ${home}.` };
  await createApi(file).stopPlane(false);
  await waitForExit(file.pid);
  return {
    json: { stopped: true, pid: file.pid, dataDirectory: home },
    text: `Stopped the plane (process ${file.pid}).`,
  };
}

/** A line for each check, and below one that failed what to do. Exit code 1 when one failed. */
async function check({ environment, output }: Context): Promise<Result> {
  output.busy('Looking', Date.now());
  const checks = await throughDoor(({ checkServer }) => checkServer(environment.forChildren));
  output.idle();
  const lines = checks.flatMap(({ name, ok, seen, fix }, index) => {
    const line = `${ok ? 'ok  ' : 'FAIL'}  ${name}: ${seen}`;
    // One cause, such as missing credentials, often has one fix for several in a row: it is said below the last.
    return fix === undefined || fix === checks[index + 1]?.fix ? [line] : [line, `      ${fix}`];
  });
  const failed = checks.some(({ ok }) => !ok);
  return { json: { ok: !failed, checks }, text: lines.join('\n'), failed };
}

/** The plane on this machine is stopped for it, unless builds run; replicas of a hosted plane go on. */
async function rotateKey({ environment, output }: Context): Promise<Result> {
  const { home } = environment;
  const [{ answeringPlane }, { createApi }, { waitForExit }] = await Promise.all([
    import('../plane-process.ts'),
    import('../api.ts'),
    import('../plane.ts'),
  ]);
  const stop = async () => {
    const file = await answeringPlane(home);
    if (!file) return;
    await createApi(file).stopPlane(true);
    await waitForExit(file.pid);
  };
  const answer = await throughDoor((server) => server.rotateKey({ home }, environment.forChildren, stop));
  for (const lost of answer.unreadable) output.warn(`No key opens the value of ${lost}: set it again.`);
  output.note(
    `Sealed with the new key: ${answer.values} environment values and ${answer.tokens} Git tokens. The key before can go.`,
  );
  return { json: answer, text: null, failed: answer.unreadable.length > 0 };
}
