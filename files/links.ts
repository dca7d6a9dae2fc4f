/** Says where symbolic links inside a directory lead, from their texts alone. */

/** As many links as Linux follows before it calls a path a loop. */
const maxFollowed = 40;

/**
 * Whether the link at `path` leads out of the directory that `path` is relative to. `links` holds every link of that
 * directory: path -> text. The text is followed part by part, as the system would, because `a/../b` is not `b` where
 * `a` is itself a link. A link that leads nowhere, or round in a circle, stays inside.
 */
export function leavesDirectory(path: string, links: ReadonlyMap<string, string>): boolean {
  const at = path.split('/');
  const name = at.pop() as string;
  const pending = [name];
  let followed = 0;
  while (pending.length > 0) {
    const part = pending.pop() as string;
    if (part === '' || part === '.') continue;
    if (part === '..') {
      if (at.length === 0) return true;
      at.pop();
      continue;
    }
    const target = links.get([...at, part].join('/'));
    if (target === undefined) {
      at.push(part);
      continue;
    }
    if (target.startsWith('/')) return true;
    followed += 1;
    if (followed > maxFollowed) return false;
    pending.push(...target.split('/').reverse());
  }
  return false;
}
