/** The regions of a plane, with the names that people know them by. */
import type { Region } from '../contract/api.ts';
import { LOCAL_REGION } from '../contract/words.ts';
import { knownRegions, regionFacts } from './adapters/s3/region-table.ts';

/** `regions` with their names. One that is not in the table is a store's that is S3-compatible and not AWS. */
export function describeRegions(regions: readonly string[]): Region[] {
  return regions.map((region) => {
    if (region === LOCAL_REGION) return { region, name: 'this machine', host: null };
    if (!knownRegions.includes(region)) return { region, name: region, host: null };
    const { name, apiHost } = regionFacts(region);
    return { region, name, host: apiHost };
  });
}
