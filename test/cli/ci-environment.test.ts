/** What build services tell their jobs, as their documentation has it, and what Sphere makes of it. */
import { describe, expect, test } from 'vitest';
import { ciServices, readCiEnvironment, withGithubEvent } from '../../cli/ci-environment.ts';
import { readEnvironment } from '../../cli/config.ts';

const commit = '1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d';

const jobs: [string, Record<string, string>, object][] = [
  [
    'GitHub Actions, a push',
    {
      GITHUB_ACTIONS: 'true',
      GITHUB_SHA: commit,
      GITHUB_REF: 'refs/heads/feature/x',
      GITHUB_HEAD_REF: '',
      GITHUB_SERVER_URL: 'https://github.com',
      GITHUB_REPOSITORY: 'you/site',
      GITHUB_RUN_ID: '42',
    },
    {
      service: 'GitHub Actions',
      commit,
      branch: 'feature/x',
      url: 'https://github.com/you/site/actions/runs/42',
    },
  ],
  [
    'GitHub Actions, a pull request',
    { GITHUB_ACTIONS: 'true', GITHUB_SHA: commit, GITHUB_REF: 'refs/pull/12/merge', GITHUB_HEAD_REF: 'fix' },
    { service: 'GitHub Actions', commit, branch: 'fix', pullRequest: 12 },
  ],
  [
    'GitHub Actions, a tag',
    { GITHUB_ACTIONS: 'true', GITHUB_SHA: commit, GITHUB_REF: 'refs/tags/v1' },
    { service: 'GitHub Actions', commit },
  ],
  [
    'GitLab CI, a merge request',
    {
      GITLAB_CI: 'true',
      CI_COMMIT_SHA: commit,
      CI_MERGE_REQUEST_SOURCE_BRANCH_NAME: 'fix',
      CI_MERGE_REQUEST_IID: '7',
      CI_COMMIT_AUTHOR: 'Ada Lovelace <ada@example.com>',
      CI_JOB_URL: 'https://gitlab.example.com/you/site/-/jobs/1',
    },
    {
      service: 'GitLab CI',
      commit,
      branch: 'fix',
      pullRequest: 7,
      author: 'Ada Lovelace',
      url: 'https://gitlab.example.com/you/site/-/jobs/1',
    },
  ],
  [
    'CircleCI, a pull request',
    {
      CIRCLECI: 'true',
      CIRCLE_SHA1: commit,
      CIRCLE_BRANCH: 'fix',
      CIRCLE_PULL_REQUEST: 'https://github.com/you/site/pull/3',
    },
    { service: 'CircleCI', commit, branch: 'fix', pullRequest: 3 },
  ],
  [
    'Bitbucket Pipelines',
    {
      BITBUCKET_BUILD_NUMBER: '9',
      BITBUCKET_COMMIT: commit,
      BITBUCKET_BRANCH: 'fix',
      BITBUCKET_PR_ID: '5',
      BITBUCKET_GIT_HTTP_ORIGIN: 'https://bitbucket.org/you/site',
    },
    {
      service: 'Bitbucket Pipelines',
      commit,
      branch: 'fix',
      pullRequest: 5,
      url: 'https://bitbucket.org/you/site/pipelines/results/9',
    },
  ],
  [
    'Azure Pipelines',
    {
      TF_BUILD: 'True',
      BUILD_SOURCEVERSION: commit,
      BUILD_SOURCEBRANCH: 'refs/heads/main',
      BUILD_SOURCEVERSIONAUTHOR: 'Ada',
      SYSTEM_COLLECTIONURI: 'https://dev.azure.com/you/',
      SYSTEM_TEAMPROJECT: 'my site',
      BUILD_BUILDID: '8',
    },
    {
      service: 'Azure Pipelines',
      commit,
      branch: 'main',
      author: 'Ada',
      url: 'https://dev.azure.com/you/my%20site/_build/results?buildId=8',
    },
  ],
  [
    'Jenkins, a multibranch job',
    {
      JENKINS_URL: 'https://ci.example.com/',
      BUILD_URL: 'https://ci.example.com/job/site/4/',
      GIT_COMMIT: commit,
      BRANCH_NAME: 'PR-6',
      CHANGE_ID: '6',
      CHANGE_BRANCH: 'fix',
    },
    {
      service: 'Jenkins',
      commit,
      branch: 'fix',
      pullRequest: 6,
      url: 'https://ci.example.com/job/site/4/',
    },
  ],
  [
    'Jenkins, a plain job',
    { JENKINS_URL: 'https://ci.example.com/', GIT_COMMIT: commit, GIT_BRANCH: 'origin/main' },
    { service: 'Jenkins', commit, branch: 'main' },
  ],
  [
    'Buildkite, no pull request',
    {
      BUILDKITE: 'true',
      BUILDKITE_COMMIT: 'HEAD',
      BUILDKITE_BRANCH: 'main',
      BUILDKITE_PULL_REQUEST: 'false',
    },
    { service: 'Buildkite', branch: 'main' },
  ],
  [
    'AWS CodeBuild, a pull request',
    {
      CODEBUILD_BUILD_ID: 'site:1',
      CODEBUILD_RESOLVED_SOURCE_VERSION: commit,
      CODEBUILD_SOURCE_VERSION: 'pr/11',
      CODEBUILD_WEBHOOK_HEAD_REF: 'refs/heads/fix',
    },
    { service: 'AWS CodeBuild', commit, branch: 'fix', pullRequest: 11 },
  ],
  [
    'Woodpecker, which sets names of GitLab',
    { CI: 'woodpecker', CI_COMMIT_SHA: commit, CI_COMMIT_BRANCH: 'main', CI_PIPELINE_URL: 'https://ci/1' },
    { service: 'Woodpecker', commit, branch: 'main', url: 'https://ci/1' },
  ],
];

test.each(jobs)('%s', (_name, env, expected) => {
  expect(readCiEnvironment(env)).toEqual(expected);
  expect(readEnvironment(env, '/').ci).toBe(true);
});

test('every service of the table is told from the others by what it sets itself', () => {
  expect(ciServices).toHaveLength(new Set(ciServices).size);
  expect(ciServices.length).toBeGreaterThan(12);
});

test('a service that nobody knows is one where nobody answers', () => {
  const environment = readEnvironment({ CI: 'true' }, '/');
  expect(environment).toMatchObject({ ci: true, ciRun: null, github: null });
  expect(readEnvironment({ CI: 'false' }, '/').ci).toBe(false);
});

describe('the event of a GitHub workflow', () => {
  const known = {
    service: 'GitHub Actions',
    commit: '0'.repeat(40),
    branch: 'main',
    url: 'https://github.com/x',
  };

  test('that follows another run tells the commit that was built, not that of the default branch', () => {
    const payload = {
      workflow_run: {
        head_sha: commit,
        head_branch: 'fix',
        head_commit: { author: { name: 'Ada', email: 'ada@example.com' } },
        pull_requests: [{ number: 12 }],
      },
    };
    expect(withGithubEvent(known, payload)).toEqual({
      service: 'GitHub Actions',
      url: 'https://github.com/x',
      commit,
      branch: 'fix',
      author: 'Ada',
      pullRequest: 12,
    });
  });

  test('of a pull request has its number and its branch', () => {
    const payload = { pull_request: { number: 9, head: { ref: 'fix' } } };
    expect(withGithubEvent(known, payload)).toMatchObject({
      commit: known.commit,
      pullRequest: 9,
      branch: 'fix',
    });
  });

  test.each([null, {}, { workflow_run: {} }, 'text', 3])('that is %j changes nothing', (payload) => {
    expect(withGithubEvent(known, payload)).toEqual(known);
  });
});
