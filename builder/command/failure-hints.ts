/** Knows common reasons for which an install or a build fails, and what to do about each. */
import { isBuiltin } from 'node:module';

type Known = { sign: RegExp; hint: (match: RegExpExecArray) => string };

const outOfStep = (lockfile: string, install: string) => () =>
  `${lockfile} does not match package.json. Run \`${install}\` and commit ${lockfile}.`;

const notServed = ([, name]: RegExpExecArray) =>
  `The registry does not have ${name === undefined ? 'a package that is asked for' : packageOf(name)}. Check its name and version; a private package needs its registry in .npmrc.`;

/** `@a/b@1.0.0` of `https://registry/@a/b/-/b-1.0.0.tgz`, the form in which registries keep packages. */
function packageOf(name: string): string {
  const [, full, , version] = /((?:@[^/]+\/)?([^/]+))\/-\/\2-(.+)\.tgz$/.exec(name) ?? [];
  return full === undefined || version === undefined ? name : `${full}@${version}`;
}

/** The first whose sign is in the output is the hint, so causes come before what they cause. */
const known: readonly Known[] = [
  // npm: EUSAGE of `npm ci`
  {
    sign: /npm ci` can only install packages when your package\.json and package-lock/,
    hint: outOfStep('package-lock.json', 'npm install'),
  },
  { sign: /ERR_PNPM_OUTDATED_LOCKFILE/, hint: outOfStep('pnpm-lock.yaml', 'pnpm install') },
  {
    sign: /^error Your lockfile needs to be updated|The lockfile would have been modified by this install/m,
    hint: outOfStep('yarn.lock', 'yarn install'),
  },
  {
    sign: /^error: lockfile had changes, but lockfile is frozen/m,
    hint: outOfStep('bun.lock', 'bun install'),
  },
  {
    sign: /\bENOSPC\b|No space left on device/i,
    hint: () =>
      'The machine that builds has no space left. On your own machine `sphere prune` frees what nothing needs; on a hosted plane build tasks can be given a larger disk.',
  },
  {
    sign: /(?:npm (?:error|ERR!) code |ERR_PNPM_META_FETCH_FAIL.*)(?:ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENOTFOUND|EAI_AGAIN)/,
    hint: () =>
      'The package registry could not be reached from where it is built. Check the network and the registry in .npmrc, then deploy again.',
  },
  {
    sign: /npm (?:error|ERR!) code ERESOLVE/,
    hint: () =>
      'Two packages need different versions of a third. Change a version in package.json, or put `legacy-peer-deps=true` into .npmrc to install them all the same.',
  },
  { sign: /notarget No matching version found for (\S+?)\.?$/m, hint: notServed },
  { sign: /ERR_PNPM_NO_MATCHING_VERSION\]?\s+No matching version found for (\S+)/, hint: notServed },
  { sign: /npm (?:error|ERR!) 404\s+(?:The requested resource )?'(\S+?)'/, hint: notServed },
  { sign: /YN00(?:35|82): │ (\S+?): (?:Package not found|No candidates found)/, hint: notServed },
  { sign: /ERR_PNPM_FETCH_404\]?\s+GET (\S+?): /, hint: notServed },
  { sign: /^error Couldn't find (?:any versions for|package) "([^"]+)"/m, hint: notServed },
  { sign: /^error: (\S+) failed to resolve$/m, hint: notServed },
  { sign: /^error: GET (\S+) - 404$/m, hint: notServed },
  {
    sign: /Permission denied \(publickey|Host key verification failed/,
    hint: () =>
      'Isolated commands, and those on a hosted plane, have no SSH keys. Name the package by https; on this machine `--isolation never` gives commands your keys, and all else that is yours.',
  },
  {
    sign: /npm (?:error|ERR!) code (?:E401|ENEEDAUTH|E403)|ERR_PNPM_FETCH_40[13]|YN0041/,
    hint: () =>
      'The registry wants a token. Isolated commands do not see that of your ~/.npmrc: the .npmrc of the source must name one.',
  },
  {
    sign: /node_modules\/node-sass(?:: Command failed|$)/m,
    hint: () =>
      'node-sass is compiled for each version of Node, and no longer maintained. Replace it with the package `sass`, or ask for the Node that it was made for with "nodeVersion" in sphere.json.',
  },
  {
    sign: /ERR_OSSL_EVP_UNSUPPORTED|error:0308010C/,
    hint: () =>
      'An old webpack uses a hash that Node 17 and later refuse. Put `NODE_OPTIONS=--openssl-legacy-provider` before the build command, or ask for Node 16 with "nodeVersion" in sphere.json.',
  },
  {
    sign: /npm (?:error|ERR!) code EBADENGINE|ERR_PNPM_UNSUPPORTED_ENGINE|The engine "node" is incompatible/,
    hint: () => 'A package needs another Node: name it with "nodeVersion" in sphere.json or in .nvmrc.',
  },
  {
    sign: /(?:ENOTFOUND|EAI_AGAIN|Could not resolve host:)\s+([\w.-]+\.\w+)/,
    hint: ([, host]) => `It asked for ${host}, which cannot be reached from where it is built.`,
  },
  {
    sign: /Failed to fetch `[^`]+` from Google Fonts/,
    hint: () => 'It asked for Google Fonts, which cannot be reached from where it is built.',
  },
  {
    sign: /\b(?:sh|bash): (?:(?:line )?\d+: )?(\S+): (?:command )?not found$|command not found: (\S+)$/m,
    hint: ([, program, other]) =>
      `The program ${program ?? other} was not found. Is its package among the dependencies?`,
  },
  {
    sign: /(?:Cannot find (?:module|package)|Can't resolve|[Ff]ailed to resolve import) ["']([^"']+)["']/,
    hint: ([, name = '']) => {
      if (/^[./]/.test(name)) {
        // Node names a file that it was to run by its whole path, which means nothing to anybody else.
        return `The file ${name.replace(/^.*\/source\//, '')} is not there. Is it part of the source, not left out by .gitignore, and its name written in the same case?`;
      }
      return isBuiltin(name)
        ? `${name} is a part of Node, which browsers do not have: what asks for it cannot be bundled as it is.`
        : `${name} is not installed. Is it among the dependencies in package.json?`;
    },
  },
];

/** The next step for a command that ended with `exitCode`, out of what it printed; null when nothing is known. */
export function hintForFailure(output: string, exitCode: number | null): string | null {
  for (const { sign, hint } of known) {
    const match = sign.exec(output);
    if (match !== null) return hint(match);
  }
  if (exitCode === 126) return 'A program in the command may not be executed. Check its permissions.';
  return null;
}
