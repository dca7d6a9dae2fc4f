/** Where a new site is kept: what `sphere deploy` asks a person who has not said it. */
import type { Region } from '../contract/api.ts';
import type { Context } from './command.ts';
import { type MeasuredRegion, nearestFirst } from './ping.ts';
import type { Plane } from './plane.ts';

/**
 * The region that the person chooses, from the list of `sphere regions --ping`. Undefined, for the plane's default, where
 * nobody can be asked or there is nothing to choose.
 */
export async function chooseRegion(
  { prompts, output }: Context,
  { kind, api }: Plane,
): Promise<string | undefined> {
  if (!prompts || kind !== 'hosted') return undefined;
  const regions = await api.regions();
  const usual = regions[0];
  if (usual === undefined || regions.length === 1) return undefined;
  output.busy(`Measuring ${regions.length} regions`, Date.now());
  const measured = await nearestFirst(regions);
  output.idle();
  return prompts.select(
    'Where should the site be kept?',
    measured.map((region) => ({ value: region.region, label: labelOf(region, usual) })),
    usual.region,
  );
}

/** A place in words: `eu-central-1  Europe (Frankfurt), 12 ms, the default`. Pure. */
export function labelOf({ region, name, ms }: MeasuredRegion, usual: Region): string {
  const parts = [
    name,
    ...(ms === null ? [] : [`${Math.round(ms)} ms`]),
    ...(region === usual.region ? ['the default'] : []),
  ];
  return `${region}  ${parts.join(', ')}`;
}
