/** How long the embedded plane takes until it answers: on an empty data directory, and on one that it knows. */
import { join } from 'node:path';
import { median } from './measure.mjs';
import { inTemporaryDirectory, startPlane } from './sphere.mjs';

export async function* planeRows(runs) {
  const first = [];
  const later = [];
  const memory = [];
  for (let run = 0; run < runs; run++) {
    await inTemporaryDirectory(async (directory) => {
      const home = join(directory, 'home');
      for (const times of [first, later]) {
        const plane = await startPlane(home, { bare: true });
        times.push(plane.ms);
        memory.push((await plane.residentBytes()) / 1e6);
        await plane.stop();
      }
    });
  }
  yield row('the plane answers: first start ever', 1500, median(first));
  yield row('the plane answers: later starts', 1000, median(later));
  yield { figure: 'its resident memory', goal: 'reported', measured: `${Math.round(median(memory))} MB` };
}

function row(figure, under, ms) {
  return {
    figure,
    goal: `under ${under / 1000} s`,
    measured: `${(ms / 1000).toFixed(2)} s`,
    pass: ms < under,
  };
}
