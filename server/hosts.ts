/** Which host name a request asked for: the API's own, a site's, or one that this plane does not answer to. */

export type RequestedHost =
  | { kind: 'api' }
  /** A site's label: its slug, for a preview `<slug>--<name>`. */
  | { kind: 'site'; label: string }
  | { kind: 'other'; name: string };

const apiNames = new Set(['localhost', '127.0.0.1', '[::1]']);

/**
 * Reads a Host header. Only the name counts: a forwarded port is a person's own doing, while any web page can make a
 * browser send a foreign name to loopback (DNS rebinding).
 */
export function requestedHost(header: string | undefined): RequestedHost {
  const name = nameOf(header);
  if (apiNames.has(name)) return { kind: 'api' };
  const label = /^([a-z0-9-]+)\.localhost$/.exec(name)?.[1];
  return label === undefined ? { kind: 'other', name } : { kind: 'site', label };
}

/**
 * Reads the Host header of a hosted plane, which answers to the name of its public address, and to loopback's for those
 * who look after it on its own machine. It serves no sites itself.
 */
export function hostedHosts(publicUrl: string): (header: string | undefined) => RequestedHost {
  const own = new URL(publicUrl).hostname;
  return (header) => {
    const name = nameOf(header);
    return name === own || apiNames.has(name) ? { kind: 'api' } : { kind: 'other', name };
  };
}

const nameOf = (header: string | undefined) =>
  (header ?? '').toLowerCase().replace(/:\d+$/, '').replace(/\.$/, '');
