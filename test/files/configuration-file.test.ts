/** What is said about a wrong `sphere.json`. */
import { describe, expect, test } from 'vitest';
import { parseConfiguration, readConfiguration } from '../../files/configuration-file.ts';

const problemsOf = (text: string) => {
  const parsed = readConfiguration(text);
  return parsed.ok
    ? []
    : parsed.problems.map(({ line, column, path, message }) => `${line}:${column} ${path} ${message}`);
};

test('a file with comments, a trailing comma and a byte order mark is read', () => {
  const text = '\ufeff{\n  // how it is built\n  "$schema": "x",\n  "buildCommand": null,\n  "spa": true,\n}';
  expect(parseConfiguration(text, 'sphere.json')).toEqual({ $schema: 'x', buildCommand: null, spa: true });
});

describe('a problem is told with line, column and path', () => {
  test.each([
    [
      '{ "outputDirectroy": "a" }',
      ['1:3 outputDirectroy is not a known key; did you mean "outputDirectory"?'],
    ],
    ['{ "outputDir": "a" }', ['1:3 outputDir is not a known key; did you mean "outputDirectory"?']],
    [
      '{\n  "headers": [{ "source": "/", "header": {} , "headers": {} }]\n}',
      ['2:32 headers[0].header is not a known key; did you mean "headers"?'],
    ],
    ['{ "spa": "yes" }', ['1:10 spa must be true or false, not "yes"']],
    ['{ "buildCommand": 3 }', ['1:19 buildCommand must be a string or null, not 3']],
    ['{ "redirects": [{ "source": "/a" }] }', ['1:17 redirects[0].destination is missing']],
    [
      '{ "redirects": [{ "source": "a", "destination": "/b" }] }',
      ['1:29 redirects[0].source must start with "/" (it is "a")'],
    ],
    [
      '{ "redirects": [{ "source": "/a", "destination": "/b", "statusCode": 200 }] }',
      ['1:70 redirects[0].statusCode must be 301 or 302 or 303 or 307 or 308, not 200'],
    ],
    [
      '{ "previews": { "expireAfterDays": 500 } }',
      ['1:36 previews.expireAfterDays must be a whole number from 1 to 90, not 500'],
    ],
    [
      '{ "previews": { "expireAfterDays": 0 } }',
      ['1:36 previews.expireAfterDays must be a whole number from 1 to 90, not 0'],
    ],
    [
      '{ "previews": { "expireAfterDays": 1.5 } }',
      ['1:36 previews.expireAfterDays must be a whole number from 1 to 90, not 1.5'],
    ],
    [
      '{ "previews": { "expireAfterDays": "7" } }',
      ['1:36 previews.expireAfterDays must be a whole number from 1 to 90, not "7"'],
    ],
    [
      '{ "limits": { "minutes": 1441 } }',
      ['1:26 limits.minutes must be a whole number from 1 to 1440, not 1441'],
    ],
    ['{ "spa": true, "spa": false }', ['1:16 spa stands twice']],
    ['[]', ['1:1  must be an object, not []']],
    ['', ['1:1  is empty; write at least {}']],
  ])('%s', (text, problems) => {
    expect(problemsOf(text)).toEqual(problems);
  });

  test('a key that resembles none comes with the known ones', () => {
    expect(problemsOf('{ "zzzzzzzz": 1 }')[0]).toMatch(/is not a known key; known are .*buildCommand/);
  });

  test('broken JSON', () => {
    expect(problemsOf('{\n  "spa": tru\n  "slug": \n}')).toEqual([
      expect.stringMatching(/^2:10 {2}is not JSON: /),
    ]);
  });
});

test('all problems are told at once, in their order in the file', () => {
  const text = '{\n  "spa": 1,\n  "outputDirectory": "../x",\n  "framwork": "vite"\n}';
  expect(() => parseConfiguration(text, 'web/sphere.json')).toThrow(
    expect.objectContaining({
      code: 'CONFIGURATION_INVALID',
      message: expect.stringMatching(/^web\/sphere\.json has 3 problems/),
      details: [
        expect.stringMatching(/^web\/sphere\.json:2:10 spa:/),
        expect.stringMatching(/^web\/sphere\.json:3:22 outputDirectory: must be a relative path/),
        expect.stringMatching(/^web\/sphere\.json:4:3 framwork: .*"framework"/),
      ],
    }),
  );
});
