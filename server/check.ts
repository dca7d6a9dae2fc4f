/** What `sphere server check` says of one thing that the plane leans on. */

/** One line of the answer: what was looked at, what was seen, and what to do when it is not right. */
export type Check = { name: string; ok: boolean; seen: string; fix?: string };
