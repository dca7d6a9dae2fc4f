/** The sizes in which Fargate sells tasks: CPU and memory come in pairs, the disk within limits. */

const gib = 1024;

/** Per CPU units: the least and the most MiB of memory, and the step between (ECS developer guide, "Task size"). */
const memoryOf: Record<number, { from: number; to: number; step: number }> = {
  256: { from: 512, to: 2 * gib, step: 512 },
  512: { from: 1 * gib, to: 4 * gib, step: gib },
  1024: { from: 2 * gib, to: 8 * gib, step: gib },
  2048: { from: 4 * gib, to: 16 * gib, step: gib },
  4096: { from: 8 * gib, to: 30 * gib, step: gib },
  8192: { from: 16 * gib, to: 60 * gib, step: 4 * gib },
  16384: { from: 32 * gib, to: 120 * gib, step: 8 * gib },
};

/** The bounds of `ephemeralStorage`, in GiB. Without it a task has 20 GiB, of which the image takes its part. */
export const diskGiB = { from: 21, to: 200 };

/** What is wrong with a task of `cpu` units and `memoryMiB`, as a sentence that names what there is; null when nothing. */
export function sizeProblem(cpu: number, memoryMiB: number): string | null {
  const range = memoryOf[cpu];
  if (!range)
    return `Fargate has no tasks of ${cpu} CPU units: it has ${Object.keys(memoryOf).join(', ')} (1024 are one vCPU).`;
  const { from, to, step } = range;
  // 0.25 vCPU is the odd one: 512 MiB, 1 GiB and 2 GiB, but not 1.5.
  const fits = memoryMiB >= from && memoryMiB <= to && (memoryMiB - from) % step === 0;
  if (fits && !(cpu === 256 && memoryMiB === 1536)) return null;
  const choices =
    cpu === 256 ? '512, 1024 or 2048 MiB' : `${from} to ${to} MiB of memory in steps of ${step} MiB`;
  return `Fargate has no tasks of ${cpu} CPU units with ${memoryMiB} MiB: that CPU comes with ${choices}.`;
}
