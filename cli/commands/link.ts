/** `sphere link` */
import type { CommandFile, Context } from '../command.ts';
import type { PlaneChoice } from '../plane-choice.ts';

export const command: CommandFile = {
  examples: [
    ['sphere link my-site', 'this directory is my-site, on the plane that is used now'],
    ['sphere link my-site --local', 'on the plane of this machine'],
  ],
  notes: `The link is .sphere/project.json. It is yours and not the project's: Git and deployments leave it out.
What the whole team shares belongs into sphere.json, which goes above the link.`,
  define(command) {
    command
      .argument('[slug]', 'the project; default: what `sphere deploy` would use here')
      .option('--project, --slug <slug>', 'the project');
  },
  async run(context, [named], options: { slug?: string }) {
    const { choosePlane, planeNotChosen } = await import('../plane-choice.ts');
    const { LOCAL_PLANE, readLink, writeLink } = await import('../link.ts');
    const { directory, output, flags, environment } = context;
    const before = readLink(directory);
    const choice = choosePlane({ environment, flags, directory: null });
    if (choice.kind === 'none') throw planeNotChosen();
    const slug = await obtainSlug(context, named ?? options.slug);
    const isThere = await hasProject(context, choice, slug);
    const plane = choice.kind === 'hosted' ? choice.address.url : LOCAL_PLANE;
    const file = writeLink(directory, { plane, slug });
    const where = choice.kind === 'hosted' ? plane : 'the plane on this machine';
    output.note(
      `${output.paint('green', '✔')} Linked ${directory} to ${output.paint('bold', slug)} on ${where}.`,
    );
    if (before && (before.slug !== slug || before.plane !== plane)) {
      output.note(`It was linked to ${before.slug} on ${before.plane}.`);
    }
    if (!isThere) output.note(`There is no such project yet: the first \`sphere deploy\` makes it.`);
    return { json: { file, plane, slug, projectExists: isThere }, text: slug };
  },
};

async function obtainSlug(context: Context, given: string | undefined): Promise<string> {
  const { SphereError } = await import('../../contract/errors.ts');
  const { slugProblem } = await import('../slug.ts');
  if (given !== undefined) {
    const problem = slugProblem(given);
    if (problem === null) return given;
    throw new SphereError('USAGE', `${problem}.`, { hint: 'See `sphere ls` for what there is.' });
  }
  const { projectSlug } = await import('../session.ts');
  const derived = await projectSlug(context, {}).catch((error: unknown) => {
    if (error instanceof SphereError && error.code === 'INPUT_NEEDED' && context.prompts) return null;
    throw error;
  });
  if (!context.prompts) return derived as string;
  return context.prompts.slug('Which project is this directory?', derived);
}

async function hasProject(
  context: Context,
  choice: Exclude<PlaneChoice, { kind: 'none' }>,
  slug: string,
): Promise<boolean> {
  const [{ SphereError }, { connectPlane }] = await Promise.all([
    import('../../contract/errors.ts'),
    import('../plane.ts'),
  ]);
  // A plane that was never there has no project, and need not be started to say so.
  if (choice.kind === 'embedded') {
    const { answeringPlane } = await import('../plane-process.ts');
    if ((await answeringPlane(choice.home)) === null) return false;
  }
  const { api } = await connectPlane(choice, context.environment, context.output.note, slug);
  try {
    await api.getProject(slug);
    return true;
  } catch (error) {
    if (error instanceof SphereError && error.code === 'NOT_FOUND') return false;
    throw error;
  } finally {
    api.close();
  }
}
