/** `sphere deploy` */
import type { CommandFile } from '../command.ts';
import type { DeployOptions } from '../deploy.ts';

export const command: CommandFile = {
  examples: [
    ['sphere deploy', 'this directory, with its uncommitted work'],
    ['sphere deploy apps/web --slug shop', 'another directory, under a name of its own'],
    ['sphere deploy --repo https://github.com/you/site --ref v2', 'a repository at a tag, branch or commit'],
    ['sphere deploy --prebuilt dist', 'what is built already'],
    ['sphere deploy --preview', 'beside the live site, named after the Git branch'],
    ['sphere deploy --preview pr-12', 'under a name of your own'],
    ['sphere deploy --dry-run', 'what would be deployed, and where each value comes from'],
  ],
  notes: `Each setting is looked for in the flags, then in the environment (SPHERE_*), then in sphere.json, then
derived. stdout gets the address of the site and nothing else. Ctrl-C cancels the deployment.
A preview ends by itself 14 days after its last deployment (previews in sphere.json). With productionBranch
in sphere.json, other branches become previews unless --prod is given.`,
  define(command) {
    command
      .argument('[dir]', 'the directory to deploy; default: this one')
      .optionsGroup('Source:')
      .option('--repo <url>', 'deploy a Git repository instead of the directory')
      .option('--no-repo', 'deploy the directory, whatever names a repository')
      .option('--ref <ref>', 'its branch, tag or commit')
      .option('--prebuilt <dir>', 'publish a directory as it is, build nothing')
      .optionsGroup('Project:')
      .option('--project, --slug <slug>', 'the name of the site and of its host')
      .option('--region <region>', 'where the site is kept')
      .optionsGroup('Target:')
      .option('--preview [name]', 'publish beside the live site; default name: the Git branch')
      .option('--prod', 'publish the live site, whatever the branch')
      .optionsGroup('Build:')
      .option('--root <dir>', 'the directory to build, inside the source')
      .option('--install <command>', 'the install command')
      .option('--no-install', 'install nothing')
      .option('--build <command>', 'the build command')
      .option('--no-build', 'build nothing')
      .option('--output <dir>', 'where the build leaves the site')
      .option('--framework <name>', 'the framework, where detection is wrong')
      .option('--node <version>', 'the Node version or range to build with')
      .option('-e, --env <name=value>', 'an environment value for this build; no secret', collect)
      .option('-b, --build-env <name=value>', 'the same', collect)
      .option('-f, --force', 'build an unchanged source again')
      .option('--no-cache', 'ignore every cache')
      .optionsGroup('Run:')
      .option('--timeout <duration>', 'wait no longer, such as 10m; the deployment goes on (exit code 6)')
      .option('--isolation <when>', 'keep the build from your files: auto, always or never')
      .option('--detach', 'print the id and leave the deployment running')
      .option('--dry-run', 'print what would be deployed, and where each value came from');
  },
  async run(context, [dir], options: DeployOptions) {
    const { deploy } = await import('../deploy.ts');
    return deploy(context, dir, options);
  },
};

/** Options that may be given several times. */
const collect = (value: string, before: string[] = []) => [...before, value];
