/** What build services tell their jobs: which commit, branch and pull request they run for. Pure. */
import type { CiRun } from '../contract/api.ts';

type Variables = Readonly<Record<string, string | undefined>>;

/** What a build service knows of the code that it has checked out. Everything but the service may be unknown. */
export type CiEnvironment = CiRun & {
  commit?: string;
  branch?: string;
  /** The name of the commit's author. */
  author?: string;
};

type Service = {
  service: string;
  /** Set by this service and no other. */
  sign: (env: Variables) => boolean;
  commit?: readonly string[];
  /** The branch that the code comes from: of a pull request its own, not the one that it is meant for. */
  branch?: readonly string[];
  /** The number of the pull request, wherever in the value it stands. */
  pullRequest?: readonly string[];
  author?: readonly string[];
  url?: (env: Variables) => string | undefined;
};

const isSet = (name: string) => (env: Variables) => (env[name] ?? '') !== '';
const named = (name: string) => (env: Variables) => env[name];

/**
 * The services that are known, each by its documentation's names. The first that fits counts; Woodpecker and Drone
 * stand before those whose names they imitate.
 */
const services: readonly Service[] = [
  {
    service: 'GitHub Actions',
    sign: (env) => env.GITHUB_ACTIONS === 'true',
    commit: ['GITHUB_SHA'],
    branch: ['GITHUB_HEAD_REF', 'GITHUB_REF'],
    pullRequest: ['GITHUB_REF'],
    url: ({ GITHUB_SERVER_URL: server, GITHUB_REPOSITORY: repository, GITHUB_RUN_ID: run }) =>
      server && repository && run ? `${server}/${repository}/actions/runs/${run}` : undefined,
  },
  {
    service: 'Woodpecker',
    sign: (env) => env.CI === 'woodpecker',
    commit: ['CI_COMMIT_SHA'],
    branch: ['CI_COMMIT_SOURCE_BRANCH', 'CI_COMMIT_BRANCH'],
    pullRequest: ['CI_COMMIT_PULL_REQUEST'],
    author: ['CI_COMMIT_AUTHOR'],
    url: named('CI_PIPELINE_URL'),
  },
  {
    service: 'GitLab CI',
    sign: isSet('GITLAB_CI'),
    commit: ['CI_COMMIT_SHA'],
    branch: ['CI_MERGE_REQUEST_SOURCE_BRANCH_NAME', 'CI_COMMIT_BRANCH'],
    pullRequest: ['CI_MERGE_REQUEST_IID'],
    author: ['CI_COMMIT_AUTHOR'],
    url: named('CI_JOB_URL'),
  },
  {
    service: 'CircleCI',
    sign: isSet('CIRCLECI'),
    commit: ['CIRCLE_SHA1'],
    branch: ['CIRCLE_BRANCH'],
    pullRequest: ['CIRCLE_PULL_REQUEST'],
    url: named('CIRCLE_BUILD_URL'),
  },
  {
    service: 'Bitbucket Pipelines',
    sign: isSet('BITBUCKET_BUILD_NUMBER'),
    commit: ['BITBUCKET_COMMIT'],
    branch: ['BITBUCKET_BRANCH'],
    pullRequest: ['BITBUCKET_PR_ID'],
    url: ({ BITBUCKET_GIT_HTTP_ORIGIN: origin, BITBUCKET_BUILD_NUMBER: build }) =>
      origin ? `${origin}/pipelines/results/${build}` : undefined,
  },
  {
    service: 'Azure Pipelines',
    sign: isSet('TF_BUILD'),
    commit: ['BUILD_SOURCEVERSION'],
    branch: ['SYSTEM_PULLREQUEST_SOURCEBRANCH', 'BUILD_SOURCEBRANCH'],
    pullRequest: ['SYSTEM_PULLREQUEST_PULLREQUESTNUMBER', 'SYSTEM_PULLREQUEST_PULLREQUESTID'],
    author: ['BUILD_SOURCEVERSIONAUTHOR'],
    url: ({ SYSTEM_COLLECTIONURI: collection, SYSTEM_TEAMPROJECT: project, BUILD_BUILDID: build }) =>
      collection && project && build
        ? `${collection}${encodeURIComponent(project)}/_build/results?buildId=${build}`
        : undefined,
  },
  {
    service: 'Buildkite',
    sign: isSet('BUILDKITE'),
    commit: ['BUILDKITE_COMMIT'],
    branch: ['BUILDKITE_BRANCH'],
    pullRequest: ['BUILDKITE_PULL_REQUEST'],
    author: ['BUILDKITE_BUILD_AUTHOR'],
    url: named('BUILDKITE_BUILD_URL'),
  },
  {
    service: 'Travis CI',
    sign: isSet('TRAVIS'),
    commit: ['TRAVIS_PULL_REQUEST_SHA', 'TRAVIS_COMMIT'],
    branch: ['TRAVIS_PULL_REQUEST_BRANCH', 'TRAVIS_BRANCH'],
    pullRequest: ['TRAVIS_PULL_REQUEST'],
    url: named('TRAVIS_JOB_WEB_URL'),
  },
  {
    service: 'Drone',
    sign: isSet('DRONE'),
    commit: ['DRONE_COMMIT_SHA'],
    branch: ['DRONE_SOURCE_BRANCH', 'DRONE_BRANCH'],
    pullRequest: ['DRONE_PULL_REQUEST'],
    author: ['DRONE_COMMIT_AUTHOR_NAME', 'DRONE_COMMIT_AUTHOR'],
    url: named('DRONE_BUILD_LINK'),
  },
  {
    service: 'AWS CodeBuild',
    sign: isSet('CODEBUILD_BUILD_ID'),
    commit: ['CODEBUILD_RESOLVED_SOURCE_VERSION'],
    branch: ['CODEBUILD_WEBHOOK_HEAD_REF'],
    // `pr/123`; for a push it is a commit or a branch.
    pullRequest: ['CODEBUILD_SOURCE_VERSION'],
    url: named('CODEBUILD_PUBLIC_BUILD_URL'),
  },
  {
    service: 'Semaphore',
    sign: isSet('SEMAPHORE'),
    commit: ['SEMAPHORE_GIT_PR_SHA', 'SEMAPHORE_GIT_SHA'],
    branch: ['SEMAPHORE_GIT_PR_BRANCH', 'SEMAPHORE_GIT_BRANCH'],
    pullRequest: ['SEMAPHORE_GIT_PR_NUMBER'],
  },
  {
    service: 'AppVeyor',
    sign: isSet('APPVEYOR'),
    commit: ['APPVEYOR_PULL_REQUEST_HEAD_COMMIT', 'APPVEYOR_REPO_COMMIT'],
    branch: ['APPVEYOR_PULL_REQUEST_HEAD_REPO_BRANCH', 'APPVEYOR_REPO_BRANCH'],
    pullRequest: ['APPVEYOR_PULL_REQUEST_NUMBER'],
    author: ['APPVEYOR_REPO_COMMIT_AUTHOR'],
  },
  {
    service: 'Cirrus CI',
    sign: isSet('CIRRUS_CI'),
    commit: ['CIRRUS_CHANGE_IN_REPO'],
    branch: ['CIRRUS_BRANCH'],
    pullRequest: ['CIRRUS_PR'],
  },
  { service: 'TeamCity', sign: isSet('TEAMCITY_VERSION'), commit: ['BUILD_VCS_NUMBER'] },
  {
    service: 'Jenkins',
    sign: isSet('JENKINS_URL'),
    commit: ['GIT_COMMIT'],
    branch: ['CHANGE_BRANCH', 'GIT_LOCAL_BRANCH', 'BRANCH_NAME', 'GIT_BRANCH'],
    pullRequest: ['CHANGE_ID'],
    author: ['CHANGE_AUTHOR_DISPLAY_NAME'],
    url: named('BUILD_URL'),
  },
];

/** The names of the services in the table, for the documentation. */
export const ciServices: readonly string[] = services.map(({ service }) => service);

/** What the build service says that started this program, or null where none is known. */
export function readCiEnvironment(env: Variables): CiEnvironment | null {
  const found = services.find(({ sign }) => sign(env));
  if (found === undefined) return null;
  const first = <T>(names: readonly string[] = [], read: (value: string) => T | undefined) => {
    for (const name of names) {
      const value = read(env[name] ?? '');
      if (value !== undefined) return value;
    }
    return undefined;
  };
  return present({
    service: found.service,
    pullRequest: first(found.pullRequest, pullRequestNumber),
    url: webAddress(found.url?.(env)),
    commit: first(found.commit, commitOf),
    branch: first(found.branch, branchOf),
    author: first(found.author, authorName),
  });
}

/**
 * What the payload of a GitHub event says beyond the environment: a run that follows another one (`workflow_run`) has
 * the default branch's commit in GITHUB_SHA, and a pull request the merge that GitHub has made for it.
 */
export function withGithubEvent(known: CiEnvironment, payload: unknown): CiEnvironment {
  const event = (payload ?? {}) as { workflow_run?: Head; pull_request?: PullRequest };
  const run = event.workflow_run;
  if (run?.head_sha !== undefined) {
    const number = run.pull_requests?.[0]?.number;
    return present({
      service: known.service,
      url: known.url,
      commit: commitOf(String(run.head_sha)),
      branch: branchOf(String(run.head_branch ?? '')),
      author: authorName(String(run.head_commit?.author?.name ?? '')),
      ...(number === undefined ? {} : { pullRequest: pullRequestNumber(String(number)) }),
    });
  }
  const request = event.pull_request;
  if (request?.number === undefined) return known;
  return present({
    ...known,
    pullRequest: pullRequestNumber(String(request.number)),
    branch: branchOf(String(request.head?.ref ?? '')) ?? known.branch,
  });
}

type Head = {
  head_sha?: string;
  head_branch?: string;
  head_commit?: { author?: { name?: string } };
  pull_requests?: { number?: number }[];
};
type PullRequest = { number?: number; head?: { ref?: string } };

function present(known: { [Key in keyof CiEnvironment]: CiEnvironment[Key] | undefined }): CiEnvironment {
  return Object.fromEntries(
    Object.entries(known).filter(([, value]) => value !== undefined),
  ) as CiEnvironment;
}

function commitOf(value: string): string | undefined {
  return /^[0-9a-f]{40}([0-9a-f]{24})?$/.test(value) ? value : undefined;
}

/** `refs/heads/x` and `origin/x` are `x`; a tag or a pull request's ref is no branch. */
function branchOf(value: string): string | undefined {
  const branch = value.replace(/^refs\/heads\//, '').replace(/^(?:refs\/remotes\/)?origin\//, '');
  if (branch === '' || branch.length > 255 || branch.startsWith('refs/') || branch === 'HEAD')
    return undefined;
  return branch;
}

/** A number alone, or the last part of an address or ref such as `refs/pull/12/merge`, `…/pull/12` and `pr/12`. */
function pullRequestNumber(value: string): number | undefined {
  const match = /^(\d+)$|(?:^|\/)(?:pull|pull-requests|merge_requests|pr)\/(\d+)/.exec(value);
  const number = Number(match?.[1] ?? match?.[2]);
  return Number.isSafeInteger(number) && number > 0 ? number : undefined;
}

/** The name out of `Name <address>`: an address is nobody's business. */
function authorName(value: string): string | undefined {
  const name = value
    .replace(/\s*<[^>]*>?\s*$/, '')
    .trim()
    .slice(0, 200);
  return name === '' || /^\S+@\S+$/.test(name) ? undefined : name;
}

function webAddress(value: string | undefined): string | undefined {
  return value !== undefined && /^https?:\/\//.test(value) && value.length <= 2048 ? value : undefined;
}
