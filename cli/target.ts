/** Which target is meant: the live site, or a preview and its name. Pure. */
import type { CreateDeployment, Source } from '../contract/api.ts';
import type { Configuration } from '../contract/configuration.ts';
import { SphereError } from '../contract/errors.ts';
import { previewName } from '../contract/preview.ts';
import { LIVE } from '../contract/words.ts';

/** The flags of `sphere deploy` that choose. `true` is what `--preview` without a name gives. */
export type TargetFlags = { preview?: string | true; prod?: true };

/** `from`: where the choice came from, in words for people. */
export type WantedTarget =
  | { kind: 'live'; from: string }
  | {
      kind: 'preview';
      /** The branch, or what a person typed. */
      text: string;
      from: string;
      expireAfterDays: number | undefined;
    };

/** Throws `USAGE` for flags that contradict each other. */
export function checkTargetFlags({ preview, prod }: TargetFlags): void {
  if (preview !== undefined && prod) {
    throw new SphereError('USAGE', '--preview and --prod cannot both be meant.', {
      hint: 'Leave one of the two out.',
    });
  }
  // As a script gives it whose variable is not set.
  if (preview === '') {
    throw new SphereError('USAGE', '--preview was given an empty name.', {
      hint: 'Name the preview: --preview NAME. Without a name it is that of the Git branch.',
    });
  }
}

/**
 * Chooses by the flags, then by the caller's own `sphere.json`, never by one that was cloned. Throws `INPUT_NEEDED` where
 * a branch has to decide and none is known.
 */
export function chooseTarget(request: {
  flags: TargetFlags;
  file: Pick<Configuration, 'productionBranch' | 'previews'>;
  /** Null: not known, as for a commit that was checked out by itself. */
  branch: string | null;
}): WantedTarget {
  const { flags, file, branch } = request;
  checkTargetFlags(flags);
  const previewOf = (text: string, from: string): WantedTarget => ({
    kind: 'preview',
    text,
    from,
    expireAfterDays: file.previews?.expireAfterDays,
  });
  if (flags.prod) return { kind: 'live', from: '--prod' };
  if (typeof flags.preview === 'string') return previewOf(flags.preview, '--preview');
  if (flags.preview) {
    if (branch !== null) return previewOf(branch, '--preview, and the Git branch');
    throw new SphereError(
      'INPUT_NEEDED',
      'No Git branch is known here that the preview could be named after.',
      {
        hint: 'Name it: --preview NAME.',
      },
    );
  }
  const { productionBranch } = file;
  if (productionBranch === undefined) return { kind: 'live', from: 'what is deployed becomes live' };
  if (branch === productionBranch) return { kind: 'live', from: 'productionBranch in sphere.json' };
  if (branch !== null) return previewOf(branch, `the Git branch, which is not "${productionBranch}"`);
  throw new SphereError(
    'INPUT_NEEDED',
    `Only the branch "${productionBranch}" becomes live (productionBranch in sphere.json), and no Git branch is known here.`,
    { hint: 'Say what is meant: --prod, or --preview NAME.' },
  );
}

/** The branch that a source was taken from, where that is known. */
export function branchOf(source: Source): string | null {
  return (source.kind === 'git' ? source.branch : source.git?.branch) ?? null;
}

/** The name of the wanted target of the project `slug`. Throws `USAGE` where the slug leaves no room for a preview. */
export function targetName(wanted: WantedTarget, slug: string): string {
  return wanted.kind === 'live' ? LIVE : nameOfPreview(wanted.text, slug);
}

/** The name of the preview of `slug` that a person or a branch calls `text`. Throws `USAGE`. */
export function nameOfPreview(text: string, slug: string): string {
  const name = previewName(text, slug);
  if (name !== null) return name;
  throw new SphereError('USAGE', `The slug "${slug}" is too long for a preview named "${text}" beside it.`, {
    hint: 'Choose a short one with --preview NAME, or a shorter slug: both together have at most 61 characters.',
  });
}

/** What the request for a deployment says of its target: nothing for the live site, which every plane knows. */
export function targetFields(
  wanted: WantedTarget,
  slug: string,
): Pick<CreateDeployment, 'target' | 'expireAfterDays'> {
  if (wanted.kind === 'live') return {};
  const { expireAfterDays } = wanted;
  return { target: targetName(wanted, slug), ...(expireAfterDays === undefined ? {} : { expireAfterDays }) };
}
