/**
 * What isolated commands get of the user's own settings of npm: where packages come from, and no secret. Tokens for
 * private registries stay out; a source that needs one names it in its own .npmrc, as for every build service. Pure.
 */

/** Settings that decide which packages an install brings, and how it reaches them. */
const given =
  /^(?:registry|@[^:]+:registry|ca(?:\[\])?|cafile|strict-ssl|proxy|https?-proxy|noproxy|fetch-[a-z-]+|maxsockets|nodedir|ignore-scripts|legacy-peer-deps|strict-peer-(?:deps|dependencies)|auto-install-peers|engine-strict|node-linker|shamefully-hoist|min(?:imum)?-release-age|omit-lockfile-registry-resolved|fund|audit|update-notifier)$/;

export type PackageSettings = {
  /** The lines of an .npmrc. */
  text: string;
  /** Registries for which a credential was left out. */
  withheld: string[];
  /** Files and directories that the settings name. */
  paths: string[];
};

/** Reads `text`, an .npmrc. */
export function publicPackageSettings(text: string): PackageSettings {
  const lines: string[] = [];
  const withheld = new Set<string>();
  const paths: string[] = [];
  for (const line of text.split(/\r?\n/)) {
    const match = /^\s*([^=;#\s][^=]*?)\s*=\s*(.*?)\s*$/.exec(line);
    const [, key = '', value = ''] = match ?? [];
    const secret = /^(?:\/\/(.*):)?_(?:auth|authToken|password)$/.exec(key);
    if (secret) withheld.add(secret[1]?.replace(/\/$/, '') ?? 'the default registry');
    if (!given.test(key)) continue;
    const credential = key.endsWith('registry') ? /^(https?:\/\/)[^/@\s]*@([^/]+)/.exec(value) : null;
    if (credential !== null) withheld.add(credential[2] as string);
    const plain = credential === null ? value : value.replace(/^(https?:\/\/)[^/@\s]*@/, '$1');
    if (/^(?:cafile|nodedir)$/.test(key)) paths.push(value.replace(/^"(.*)"$/, '$1'));
    lines.push(`${key}=${plain}`);
  }
  return { text: lines.map((line) => `${line}\n`).join(''), withheld: [...withheld], paths };
}
