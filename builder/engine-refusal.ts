/** Reads out of a failed install which Node a package wants, where the package manager insists on it. */
import { stripVTControlCharacters } from 'node:util';
import semver from 'semver';

/** A range of Node, and the package that asks for it, such as `@capacitor/cli@8.0.0`. */
export type EngineRefusal = { range: string; package: string };

/** npm and pnpm with `engine-strict`, which many templates set; yarn 1 always. */
const refusals = [
  /notsup Not compatible with your version of node\/npm: (\S+)[\s\S]*?notsup Required: *\{[^}]*"node":"([^"]+)"/,
  /Your Node version is incompatible with "([^"]+)"[\s\S]*?Expected version: *(.+)/,
  /error ([^\s:]+): The engine "node" is incompatible with this module\. Expected version "([^"]+)"/,
];

/** Null when the install failed for another reason, or `nodeVersion` satisfies what is asked for. */
export function engineRefusal(lastLines: readonly string[], nodeVersion: string): EngineRefusal | null {
  const said = stripVTControlCharacters(lastLines.join('\n'));
  for (const refusal of refusals) {
    const [, name, range = ''] = refusal.exec(said) ?? [];
    if (name === undefined || semver.validRange(range) === null) continue;
    return semver.satisfies(nodeVersion, range) ? null : { range: range.trim(), package: name };
  }
  return null;
}
