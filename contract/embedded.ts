/** How the programs of one machine find its embedded plane: files in the data directory. */

/**
 * The data directory where `SPHERE_HOME` does not say otherwise, where the platform keeps the data of programs. A relative
 * XDG_DATA_HOME does not count, as its specification has it.
 */
export function defaultHome(
  { XDG_DATA_HOME: named }: Record<string, string | undefined>,
  { platform, homeDirectory }: { platform: string; homeDirectory: string },
): string {
  if (platform === 'darwin') return `${homeDirectory}/Library/Application Support/sphere`;
  return `${named?.startsWith('/') ? named.replace(/\/+$/, '') : `${homeDirectory}/.local/share`}/sphere`;
}

/** Written by the plane when it is ready, mode 0600; removed when it stops. A `kill -9` leaves it behind. */
export const planeFile = 'plane.json';
export type PlaneFile = {
  /** The API's address, `http://127.0.0.1:PORT`. */
  url: string;
  /** The token for it. */
  token: string;
  pid: number;
  version: string;
};

/** What a plane in the background prints; appended to. */
export const planeLogFile = 'plane.log';
