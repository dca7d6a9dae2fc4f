/** `sphere deploy` */
import type { CommandFile } from '../command.ts';
import type { DeployOptions } from '../deploy.ts';

export const command: CommandFile = {
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
      .optionsGroup('Build:')
      .option('--root <dir>', 'the directory to build, inside the source')
      .option('--install <command>', 'the install command')
      .option('--no-install', 'install nothing')
      .option('--build <command>', 'the build command')
      .option('--no-build', 'build nothing')
      .option('--output <dir>', 'where the build leaves the site')
      .option('--framework <name>', 'the framework, where detection is wrong')
      .option('--node <version>', 'the Node version or range to build with')
      .option('-f, --force', 'build an unchanged source again')
      .option('--no-cache', 'ignore every cache')
      .optionsGroup('Run:')
      .option('--local', 'use the control plane on this machine')
      .option('--detach', 'print the id and leave the deployment running')
      .option('--dry-run', 'print what would be deployed, and where each value came from')
      .addHelpText(
        'after',
        `
Each setting is looked for in the flags, then in the environment (SPHERE_*), then in
sphere.json, then derived. stdout gets the address of the site and nothing else.

Examples:
  $ sphere deploy                          this directory, with its uncommitted work
  $ sphere deploy apps/web --slug shop
  $ sphere deploy --repo https://github.com/you/site --ref v2
  $ sphere deploy --prebuilt dist          what is built already`,
      );
  },
  async run(context, [dir], options: DeployOptions) {
    const { deploy } = await import('../deploy.ts');
    return deploy(context, dir, options);
  },
};
