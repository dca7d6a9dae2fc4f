/** One thing that `sphere server check` has looked at. */

/** `seen`: what is there, in words; `fix`: the next step, with the command where there is one. */
export type Check = { name: string; ok: boolean; seen: string; fix?: string };
