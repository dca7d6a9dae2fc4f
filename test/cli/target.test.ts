/** Whether a deployment becomes live or a preview, by flags, sphere.json and the Git branch. */
import { describe, expect, test } from 'vitest';
import { replacementText } from '../../cli/replacement.ts';
import { chooseTarget, type TargetFlags, targetFields, targetName } from '../../cli/target.ts';
import type { Deployment, Target } from '../../contract/api.ts';

type File = Parameters<typeof chooseTarget>[0]['file'];

const nameFor = (flags: TargetFlags, file: File, branch: string | null) =>
  targetName(chooseTarget({ flags, file, branch }), 'shop');
const production = { productionBranch: 'main' };

test.each<[TargetFlags, File, string | null, string]>([
  [{}, {}, 'feature', 'live'],
  [{}, {}, null, 'live'],
  [{ preview: true }, {}, 'Feature/X_1', 'feature-x-1'],
  [{ preview: 'PR 12' }, {}, 'main', 'pr-12'],
  [{ preview: 'pr-12' }, {}, null, 'pr-12'],
  [{}, production, 'main', 'live'],
  [{}, production, 'fix/it', 'fix-it'],
  [{ prod: true }, production, 'fix/it', 'live'],
  [{ prod: true }, production, null, 'live'],
  [{ preview: true }, production, 'main', 'main'],
])('%j with %j on the branch %s deploys to %s', (flags, file, branch, target) => {
  expect(nameFor(flags, file, branch)).toBe(target);
});

test.each<[TargetFlags, File, string, RegExp]>([
  [{ preview: true }, {}, 'INPUT_NEEDED', /--preview NAME/],
  [{}, production, 'INPUT_NEEDED', /--prod, or --preview NAME/],
  [{ preview: true, prod: true }, {}, 'USAGE', /one of the two/],
  [{ preview: '' }, {}, 'USAGE', /--preview NAME/],
])('%j with %j where no branch is known: %s', (flags, file, code, hint) => {
  expect(() => nameFor(flags, file, null)).toThrow(
    expect.objectContaining({ code, hint: expect.stringMatching(hint) }),
  );
});

test('a slug that leaves no room for the name is said before anything is sent', () => {
  const wanted = chooseTarget({ flags: { preview: 'a-long-branch' }, file: {}, branch: null });
  expect(() => targetName(wanted, 'a'.repeat(60))).toThrow(expect.objectContaining({ code: 'USAGE' }));
});

test('the request names a target for previews alone, and its days where they are set', () => {
  const wanted = (flags: TargetFlags, file: File = {}) => chooseTarget({ flags, file, branch: 'x' });
  expect(targetFields(wanted({}, { previews: { expireAfterDays: 3 } }), 'shop')).toEqual({});
  expect(targetFields(wanted({ preview: true }), 'shop')).toEqual({ target: 'x' });
  expect(targetFields(wanted({ preview: true }, { previews: { expireAfterDays: 3 } }), 'shop')).toEqual({
    target: 'x',
    expireAfterDays: 3,
  });
});

describe('what will be replaced', () => {
  const deployment = (change: Partial<Deployment>) =>
    ({
      id: 'dpl_new',
      target: 'live',
      url: 'http://shop.example.com/',
      createdAt: '2026-01-01T10:00:00Z',
      source: { kind: 'git', repository: 'r', ref: 'main', commit: 'abc1234'.padEnd(40, '0') },
      ...change,
    }) as Deployment;
  const standing = (name: string, id: string) => ({ name, deployment: deployment({ id }) }) as Target;
  const now = Date.parse('2026-01-01T12:00:00Z');
  const beside = deployment({ target: 'x', url: 'http://shop--x.example.com/' });

  test('is what the target serves, with its source and age', () => {
    const before = [standing('live', 'dpl_old'), standing('x', 'dpl_x')];
    expect(replacementText({ deployment: deployment({}) }, before, now)).toBe(
      'Replaces what http://shop.example.com/ serves (dpl_old, main abc1234, 2 h ago).',
    );
    const answer = { deployment: beside, expiresAt: '2026-01-15T12:00:00Z' };
    expect(replacementText(answer, before, now)).toBe(
      'Replaces what http://shop--x.example.com/ serves (dpl_x, main abc1234, 2 h ago). Live is untouched. It ends on 2026-01-15, unless it is deployed again.',
    );
  });

  test('is nothing the first time', () => {
    expect(replacementText({ deployment: deployment({}) }, [], now)).toBeNull();
    expect(replacementText({ deployment: beside }, [standing('live', 'dpl_old')], now)).toBe(
      'A new preview, at http://shop--x.example.com/. Live is untouched.',
    );
  });
});
