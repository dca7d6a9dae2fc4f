/** The scripts that set a plane up: what they would run, and what they write, with stand-ins for AWS, Docker and Git. */
import { spawnSync } from 'node:child_process';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { builderContractVersion, version } from '../../contract/version.ts';
import { emptyDirectory, executable, tree } from '../files/tree.ts';

type Run = { exitCode: number | null; stdout: string; stderr: string };

/** Programs that only say how they were called, each to the file CALLS, and answer as AWS would. */
const standIns = {
  aws: executable(`#!/bin/sh
echo "aws $*" >>"$CALLS"
case "$*" in
  *"cloudformation deploy"*) touch "$CALLS.stack" ;;
  *"OutputKey=='BuilderRepositoryUri'"*) [ -z "$NEW" ] || [ -e "$CALLS.stack" ] || exit 254; echo 123456789012.dkr.ecr.eu-central-1.amazonaws.com/sphere-builder ;;
  *"OutputKey=='PlaneSecurityGroupId'"*) echo sg-0a1b2c3d ;;
  *"OutputKey=='PlaneInstanceProfile'"*) echo sphere-PlaneProfile ;;
  *"OutputKey=='DatabaseAddress'"*) echo "$DATABASE" ;;
  *"OutputKey=='DatabaseSecret'"*) echo arn:aws:secretsmanager:eu-central-1:123456789012:secret:rds ;;
  *get-secret-value*) echo '{"username":"sphere","password":"a/b c"}' ;;
  *"Outputs[].OutputValue"*)
    printf 'AWS_REGION=eu-central-1\\tSPHERE_ECS_CLUSTER=sphere\\tsg-0a1b2c3d\\tSPHERE_BUCKET_NAMES=%s\\n' "\${NAMES:-slug}" ;;
esac
`),
  docker: executable('#!/bin/sh\necho "docker $*" >>"$CALLS"\n'),
  // As curl does with --create-dirs --output.
  curl: executable(`#!/bin/sh
while [ "$1" != --output ]; do shift; done
mkdir -p "$(dirname "$2")" && echo certificate >"$2"
`),
  git: executable(
    '#!/bin/sh\ncase "$1" in rev-parse) echo abcdef1234;; describe) echo v0.1.0-3-gabcdef1;; esac\n',
  ),
};

function run(script: string, args: string[], environment: Record<string, string> = {}): Run {
  const { status, stdout, stderr } = spawnSync(`scripts/${script}`, args, {
    encoding: 'utf8',
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...environment },
  });
  return { exitCode: status, stdout, stderr };
}

/** With the stand-ins before everything else on the PATH. */
function runWithStandIns(script: string, args: string[], environment: Record<string, string> = {}) {
  const programs = tree(standIns);
  const calls = join(programs, 'calls');
  writeFileSync(calls, '');
  const PATH = `${programs}:${process.env.PATH}`;
  const ran = run(script, args, { CALLS: calls, DATABASE: '', ...environment, PATH });
  return { ...ran, calls: readFileSync(calls, 'utf8').trim().split('\n') };
}

const repository = '123456789012.dkr.ecr.eu-central-1.amazonaws.com/sphere-builder';
const commandsIn = (text: string) => text.split('\n').filter((line) => line.startsWith('+ '));

describe('publish-builder-image', () => {
  test('as a dry run prints every command, in order, and runs none', () => {
    const { exitCode, stdout, stderr } = run('publish-builder-image', [
      '--repository',
      repository,
      '--dry-run',
    ]);
    const tag = stdout.trim();
    expect(tag).toMatch(
      new RegExp(`^${version.replaceAll('.', '\\.')}-contract${builderContractVersion}-[0-9a-f]{10}$`),
    );
    expect(exitCode).toBe(0);
    expect(commandsIn(stderr)).toEqual([
      '+ npx tsup',
      `+ docker build --platform linux/amd64 --file Dockerfile.builder --build-arg VERSION=${version} --build-arg CONTRACT=${builderContractVersion} --tag ${repository}:${tag} .`,
      `+ env DOCKER=docker scripts/check-builder-image ${repository}:${tag}`,
      `+ aws ecr get-login-password --region eu-central-1 | docker login --username AWS --password-stdin ${repository.split('/')[0]}`,
      `+ docker push ${repository}:${tag}`,
    ]);
  });

  test('pushes no tag twice', () => {
    const { exitCode, stdout, calls } = runWithStandIns('publish-builder-image', [
      '--repository',
      repository,
    ]);
    expect(exitCode).toBe(0);
    expect(stdout.trim()).toBe(`${version}-contract${builderContractVersion}-abcdef1234`);
    expect(calls).toEqual([
      expect.stringMatching(
        /^aws ecr describe-images .*--repository-name sphere-builder .*imageTag=.*-abcdef1234$/,
      ),
    ]);
  });

  test.each([
    ['nothing to push to', [], /say where to push: --repository/],
    [
      'a registry that is not ECR',
      ['--repository', 'docker.io/me/x', '--dry-run'],
      /docker\.io\/me\/x is not a repository of ECR/,
    ],
    ['an option that it does not know', ['--repo', 'x'], /--repo is not an option/],
    ['an option without its value', ['--repository'], /--repository needs a value/],
  ])('with %s says so, and ends with 2', (_, args, said) => {
    const { exitCode, stderr } = runWithStandIns('publish-builder-image', args);
    expect(stderr).toMatch(said);
    expect(exitCode).toBe(2);
  });

  test('without Docker names it', () => {
    const { exitCode, stderr } = runWithStandIns('publish-builder-image', ['--repository', repository], {
      DOCKER: 'no-such-docker',
    });
    expect(stderr).toMatch(/the program no-such-docker was not found\. Install Docker/);
    expect(exitCode).toBe(2);
  });
});

const wanted = [
  ...['--region', 'eu-central-1', '--public-url', 'https://sphere.example.com'],
  ...['--vpc', 'vpc-0a1b2c3d', '--subnets', 'subnet-0a1b2c3d,subnet-4e5f6071'],
];

describe('set-up-aws', () => {
  test('as a dry run prints every command, in order, and runs none', () => {
    const args = [...wanted, '--with-database', '--data-subnets', 'subnet-1,subnet-2', '--dry-run'];
    const { exitCode, stderr, calls } = runWithStandIns('set-up-aws', args);
    expect(exitCode).toBe(0);
    expect(calls).toEqual(['']);
    const commands = commandsIn(stderr);
    expect(commands[0]).toBe('+ aws sts get-caller-identity --region eu-central-1');
    expect(commands[1]).toMatch(
      /^\+ aws cloudformation deploy .*--capabilities CAPABILITY_IAM .*Name=sphere PublicUrl=https:\/\/sphere\.example\.com VpcId=vpc-0a1b2c3d BuildSubnets=.*BuilderTag=\S+ DataSubnets=\S+ WithDatabase=true$/,
    );
    expect(commands[2]).toBe('+ scripts/publish-builder-image --stack sphere --region eu-central-1');
    expect(commands.join('\n')).toMatch(
      /docker build[\s\S]*docker push[\s\S]*secretsmanager[\s\S]*write infra\/plane\.env/,
    );
  });

  test('passes parameters that the template has', () => {
    const { stderr } = runWithStandIns('set-up-aws', [
      ...wanted,
      '--with-redis',
      '--data-subnets',
      'a,b',
      '--dry-run',
    ]);
    const template = readFileSync('infra/aws/sphere.yaml', 'utf8');
    const passed = [...(commandsIn(stderr)[1] ?? '').matchAll(/ ([A-Z][A-Za-z]+)=/g)].map(
      (match) => match[1],
    );
    expect(passed.length).toBeGreaterThan(6);
    for (const name of passed) expect(template).toMatch(new RegExp(`^  ${name}:\n    Type: `, 'm'));
  });

  test('says all that is missing at once', () => {
    const { exitCode, stderr } = run('set-up-aws', ['--with-database']);
    expect(stderr).toMatch(/--region.*--public-url.*--vpc.*--subnets.*--data-subnets/);
    expect(exitCode).toBe(2);
  });

  test('refuses an address with a port, which nothing lets in', () => {
    const { exitCode, stderr } = run('set-up-aws', [
      ...wanted,
      '--public-url',
      'https://sphere.example.com:8443',
    ]);
    expect({ exitCode, stderr }).toEqual({ exitCode: 2, stderr: expect.stringContaining('without a port') });
  });

  test('writes both files for this user alone, and keeps what is in them', () => {
    const directory = emptyDirectory();
    const files = () => ['plane.env', '.env'].map((name) => readFileSync(join(directory, name), 'utf8'));
    const first = runWithStandIns('set-up-aws', [...wanted, '--directory', directory]);
    expect(first.exitCode, first.stderr).toBe(0);
    const [environment = '', secrets = ''] = files();
    for (const name of ['plane.env', '.env']) {
      expect((statSync(join(directory, name)).mode & 0o777).toString(8)).toBe('600');
    }
    const password = /^POSTGRES_PASSWORD=([0-9a-f]{48})$/m.exec(secrets)?.[1];
    expect(secrets).toMatch(/^SPHERE_HOST=sphere\.example\.com$/m);
    // Each version has an image of its own, so that the one before can be gone back to.
    expect(secrets).toMatch(/^SPHERE_VERSION=v0\.1\.0-3-gabcdef1$/m);
    expect(environment).toMatch(`DATABASE_URL=postgres://sphere:${password}@postgres:5432/sphere\n`);
    expect(environment).toMatch(/^SPHERE_KEY=[0-9a-f]{64}$/m);
    expect(environment).toMatch(/^SPHERE_ECS_CLUSTER=sphere$/m);
    // Outputs that are no variables stay out.
    expect(environment).not.toMatch(/^sg-/m);

    writeFileSync(join(directory, 'plane.env'), `# Mine.\nSPHERE_MAX_BUILDS=5\n${environment}`);
    const second = runWithStandIns('set-up-aws', [...wanted, '--directory', directory], { NAMES: 'prefix' });
    expect(second.exitCode, second.stderr).toBe(0);
    expect(files()).toEqual([
      `# Mine.\nSPHERE_MAX_BUILDS=5\n${environment.replace('SPHERE_BUCKET_NAMES=slug', 'SPHERE_BUCKET_NAMES=prefix')}`,
      secrets,
    ]);
  });

  test('keeps what its operators have set, and nothing of a part of the stack that is no more', () => {
    const directory = emptyDirectory();
    const own = [
      'DATABASE_URL=postgres://sphere:own@db.corp.example/sphere',
      'SPHERE_LISTEN=10.0.0.4:3000',
      'SPHERE_TRUSTED_PROXIES=10.0.0.0/8',
    ];
    const gone = ['REDIS_URL=rediss://sphere.x.cache.amazonaws.com:6379', 'SPHERE_BUCKET_PREFIX=acme-'];
    writeFileSync(join(directory, 'plane.env'), `${[...own, ...gone].join('\n')}\n`);
    const ran = runWithStandIns('set-up-aws', [...wanted, '--directory', directory]);
    expect(ran.exitCode, ran.stderr).toBe(0);
    const lines = readFileSync(join(directory, 'plane.env'), 'utf8').split('\n');
    expect(lines).toEqual(expect.arrayContaining(own));
    expect(lines.find((line) => line.startsWith('REDIS_URL='))).toMatch(/@redis:6379$/);
    expect(lines.some((line) => line.startsWith('SPHERE_BUCKET_PREFIX='))).toBe(false);
  });

  test.each([
    ['that is there', {}, ['describe-images', 'deploy']],
    ['that is new', { NEW: '1' }, ['deploy', 'describe-images']],
  ])('for a stack %s publishes the image at the time when no build can miss it', (_, environment, order) => {
    const args = [...wanted, '--directory', emptyDirectory()];
    const { exitCode, stderr, calls } = runWithStandIns('set-up-aws', args, environment);
    expect(exitCode, stderr).toBe(0);
    const steps = calls.flatMap(
      (call) => /^aws (?:cloudformation|ecr) (deploy|describe-images)/.exec(call)?.[1] ?? [],
    );
    expect(steps).toEqual(order);
  });

  test('with a database on RDS takes its password from Secrets Manager, escaped', () => {
    const directory = emptyDirectory();
    const args = [...wanted, '--with-database', '--data-subnets', 'a,b', '--directory', directory];
    const { exitCode, stderr } = runWithStandIns('set-up-aws', args, { DATABASE: 'db.example.com' });
    expect(exitCode, stderr).toBe(0);
    const environment = readFileSync(join(directory, 'plane.env'), 'utf8');
    expect(environment).toContain(
      'postgres://sphere:a%2Fb%20c@db.example.com:5432/sphere?sslmode=verify-full',
    );
    expect(stderr).not.toContain('a/b c');
    // For the replicas' own user, beside files that are nobody's but the operator's.
    expect(statSync(join(directory, 'trusted/rds.pem')).mode & 0o777).toBe(0o644);
    expect(statSync(join(directory, 'trusted')).mode & 0o777).toBe(0o755);
  });
});
