/** Every command, in the order of the help. A new command is a file in commands/ and an entry here. */
import type { CommandEntry } from './command.ts';

const deploying = 'Deploy:';
const looking = 'Look:';
const serving = 'The plane on this machine:';
const connecting = 'Sign in and settings:';
const administering = 'For those who look after an account of a hosted plane:';

export const commands: readonly CommandEntry[] = [
  {
    name: 'deploy',
    summary: 'build a directory or repository and publish it',
    group: deploying,
    load: () => import('./commands/deploy.ts'),
  },
  {
    name: 'init',
    summary: 'write a sphere.json',
    group: deploying,
    load: () => import('./commands/init.ts'),
  },
  {
    name: 'import',
    summary: 'make a sphere.json of the settings of other tools',
    group: deploying,
    load: () => import('./commands/import.ts'),
  },
  {
    name: 'cancel',
    summary: 'cancel a deployment that has not ended',
    group: deploying,
    load: () => import('./commands/cancel.ts'),
  },
  {
    name: 'redeploy',
    summary: 'deploy the same source and settings again',
    group: deploying,
    load: () => import('./commands/redeploy.ts'),
  },
  {
    name: 'rollback',
    summary: 'make an earlier deployment live again',
    group: deploying,
    load: () => import('./commands/rollback.ts'),
  },
  {
    name: 'promote',
    summary: 'make what a preview serves live, without building again',
    group: deploying,
    load: () => import('./commands/promote.ts'),
  },
  {
    name: 'rm',
    summary: 'remove a project, or one of its previews',
    group: deploying,
    load: () => import('./commands/rm.ts'),
  },
  {
    name: 'logs',
    summary: "print a deployment's log",
    group: looking,
    load: () => import('./commands/logs.ts'),
  },
  {
    name: 'inspect',
    summary: 'show everything about a deployment',
    group: looking,
    load: () => import('./commands/inspect.ts'),
  },
  {
    name: 'ls',
    summary: 'list projects, or the deployments of one',
    group: looking,
    load: () => import('./commands/ls.ts'),
  },
  {
    name: 'previews',
    summary: 'list the previews of a project',
    group: looking,
    load: () => import('./commands/previews.ts'),
  },
  {
    name: 'open',
    summary: 'open the site in the browser',
    group: looking,
    load: () => import('./commands/open.ts'),
  },
  {
    name: 'env',
    summary: "keep the environment values of a project's builds, secrets among them",
    group: deploying,
    load: () => import('./commands/env.ts'),
  },
  {
    name: 'login',
    summary: 'sign in to a hosted control plane',
    group: connecting,
    load: () => import('./commands/login.ts'),
  },
  {
    name: 'logout',
    summary: 'forget the token of a plane',
    group: connecting,
    load: () => import('./commands/logout.ts'),
  },
  {
    name: 'whoami',
    summary: 'show the account that the token belongs to',
    group: connecting,
    load: () => import('./commands/whoami.ts'),
  },
  {
    name: 'link',
    summary: 'bind this directory to a plane and a project',
    group: connecting,
    load: () => import('./commands/link.ts'),
  },
  {
    name: 'unlink',
    summary: 'undo `link`',
    group: connecting,
    load: () => import('./commands/unlink.ts'),
  },
  {
    name: 'status',
    summary: 'show every setting of this directory and where it comes from',
    group: connecting,
    load: () => import('./commands/status.ts'),
  },
  {
    name: 'regions',
    summary: 'list where sites may be kept, nearest first with --ping',
    group: connecting,
    load: () => import('./commands/regions.ts'),
  },
  {
    name: 'doctor',
    summary: 'look for what is wrong on this machine or with the plane',
    group: connecting,
    load: () => import('./commands/doctor.ts'),
  },
  {
    name: 'completion',
    summary: "print a shell's completion script",
    group: connecting,
    load: () => import('./commands/completion.ts'),
  },
  {
    name: 'server',
    summary: 'run the control plane on this machine',
    group: serving,
    load: () => import('./commands/server.ts'),
  },
  {
    name: 'prune',
    summary: 'free disk space that nothing needs',
    group: serving,
    load: () => import('./commands/prune.ts'),
  },
  {
    name: 'token',
    summary: "make, list and remove the tokens of a hosted plane's accounts",
    group: administering,
    load: () => import('./commands/token.ts'),
  },
  {
    name: 'trust',
    summary: 'let jobs of GitHub and GitLab deploy without a token',
    group: administering,
    load: () => import('./commands/trust.ts'),
  },
  {
    name: 'audit',
    summary: 'who has changed what',
    group: administering,
    load: () => import('./commands/audit.ts'),
  },
];
