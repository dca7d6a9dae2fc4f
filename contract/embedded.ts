/** How the programs of one machine find its embedded plane: files in the data directory. */

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
