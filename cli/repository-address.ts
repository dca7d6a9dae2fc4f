/** What the address of a Git repository says: whose it is, and whether two are of one repository. */
import { askGit } from './git-state.ts';

export type Remote = { name: string; url: string };

/** The remotes of the repository around `directory`; none where there is no repository or no git. */
export async function remotesOf(directory: string): Promise<Remote[]> {
  const listed = await askGit(directory, ['config', '--get-regexp', '^remote\\..*\\.url$']);
  return (listed ?? '').split('\n').flatMap((line) => {
    const [, name, url] = /^remote\.(.+)\.url (.+)$/.exec(line) ?? [];
    return name !== undefined && url !== undefined ? [{ name, url }] : [];
  });
}

/** `host/owner`, as in `github.com/someone`; null for a repository of this machine. Pure. */
export function ownerOf(repository: string): string | null {
  const parts = partsOf(repository);
  if (parts === null) return null;
  return [parts.host, ...parts.names.slice(0, Math.max(1, parts.names.length - 1))].join('/').toLowerCase();
}

/** Whether two addresses are of one repository, whatever the transport: `git@host:a/b.git` and `https://host/a/b`. Pure. */
export function sameRepository(one: string, other: string): boolean {
  return addressOf(one) === addressOf(other);
}

function addressOf(repository: string): string {
  const parts = partsOf(repository);
  if (parts === null) return `file ${withoutEnding(repository.trim().replace(/^file:\/\//i, ''))}`;
  return [parts.host, ...parts.names].join('/').toLowerCase();
}

/** The port is part of the host but for ssh, which has one of its own. Null for a path of this machine. */
function partsOf(repository: string): { host: string; names: string[] } | null {
  const address = repository.trim();
  const names = (text: string) => withoutEnding(text).split('/').filter(Boolean);
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(address)) {
    if (!URL.canParse(address)) return null;
    const url = new URL(address);
    if (url.protocol === 'file:') return null;
    return { host: url.protocol === 'ssh:' ? url.hostname : url.host, names: names(url.pathname) };
  }
  const scp = /^(?:[^/@:]+@)?([^/:]+):(.*)$/.exec(address);
  return scp === null ? null : { host: scp[1] as string, names: names(scp[2] as string) };
}

function withoutEnding(path: string): string {
  return path.replace(/\/+$/, '').replace(/\.git$/, '');
}
