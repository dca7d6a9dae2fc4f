/** What can be known of infra/aws/sphere.yaml without an account: that it hangs together, and gives away no more than it must. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { hostedEnvironment } from '../../contract/environment.ts';
import { capabilities } from '../peers/builder-image.ts';
import { conditionsIn, type Json, parseTemplate, type Resource, references, walk } from './cloudformation.ts';
import { permissionsOf, withoutResource } from './permissions.ts';

const template = parseTemplate(readFileSync('infra/aws/sphere.yaml', 'utf8'));
const { Parameters, Conditions, Resources, Outputs } = template;

const resource = (name: string) => Resources[name]?.Properties ?? {};
const ofType = (type: string): [string, Resource][] =>
  Object.entries(Resources).filter(([, { Type }]) => Type === type);

/** Attributes by type, from the user guide's "Return values". */
const attributes: Record<string, RegExp> = {
  'AWS::EC2::SecurityGroup': /^GroupId$/,
  'AWS::ECR::Repository': /^(Arn|RepositoryUri)$/,
  'AWS::ECS::Cluster': /^Arn$/,
  'AWS::ElastiCache::ReplicationGroup': /^PrimaryEndPoint\.(Address|Port)$/,
  'AWS::IAM::Role': /^Arn$/,
  'AWS::RDS::DBInstance': /^Endpoint\.Address$/,
};

type Statement = {
  Sid: string;
  Effect: string;
  Action: string | string[];
  Resource: Json;
  Condition?: Record<string, Record<string, Json>>;
};

function statementsOf(role: string): Statement[] {
  const policies = resource(role).Policies as { PolicyDocument: { Statement: Statement[] } }[];
  return policies.flatMap(({ PolicyDocument }) => PolicyDocument.Statement);
}
const actionsOf = ({ Action }: Statement) => [Action].flat();
const roles = ofType('AWS::IAM::Role').map(([name]) => name);

describe('the template', () => {
  test('refers to nothing that is not there', () => {
    const unknown = references(template as unknown as Json).filter(({ name, attribute }) => {
      if (name.startsWith('AWS::')) return false;
      if (attribute === null) return !(name in Parameters) && !(name in Resources);
      return !attributes[Resources[name]?.Type ?? '']?.test(attribute);
    });
    expect(unknown).toEqual([]);
  });

  test('names no condition that is not there', () => {
    const owned = [...Object.values(Resources), ...Object.values(Outputs)].flatMap(({ Condition }) =>
      Condition === undefined ? [] : [Condition],
    );
    const named = [...conditionsIn(template as unknown as Json), ...owned];
    expect(named.filter((name) => !(name in Conditions))).toEqual([]);
  });

  test('refers to what is made under a condition only under the same one', () => {
    const all = { ...Resources, ...Outputs };
    const wrong = Object.entries(all).flatMap(([name, part]) =>
      references(part as unknown as Json)
        .filter(({ name: other }) => Resources[other]?.Condition !== undefined)
        .filter(({ name: other }) => Resources[other]?.Condition !== part.Condition)
        .map(({ name: other }) => `${name} refers to ${other}`),
    );
    expect(wrong).toEqual([]);
  });

  test('uses every parameter', () => {
    const used = new Set(references(template as unknown as Json).map(({ name }) => name));
    expect(Object.keys(Parameters).filter((name) => !used.has(name))).toEqual([]);
  });
});

describe('build tasks', () => {
  const task = resource('BuilderTask');
  const [container, ...others] = task.ContainerDefinitions as Record<string, Json>[];

  test('T21: have no role, no secret and no environment of ours', () => {
    expect(task).not.toHaveProperty('TaskRoleArn');
    expect(others).toEqual([]);
    for (const name of ['Secrets', 'Environment', 'EnvironmentFiles', 'Privileged']) {
      expect(container).not.toHaveProperty(name);
    }
  });

  test('T24, T28: have time to end, and a log that cannot stall them', () => {
    expect(container?.StopTimeout).toBeGreaterThan(30);
    expect(container?.StopTimeout).toBeLessThanOrEqual(120);
    expect(container?.LogConfiguration).toMatchObject({
      LogDriver: 'awslogs',
      Options: { mode: 'non-blocking' },
    });
  });

  test('keep only the capabilities with which the image is tested', () => {
    // What containers have by default: https://docs.docker.com/engine/containers/run/#runtime-privilege-and-linux-capabilities
    const byDefault =
      'AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE NET_RAW SETFCAP SETGID SETPCAP SETUID SYS_CHROOT'.split(
        ' ',
      );
    const limits = container?.LinuxParameters as { Capabilities: { Drop: string[] } } | undefined;
    const dropped = limits?.Capabilities.Drop ?? [];
    expect(byDefault.filter((capability) => !dropped.includes(capability))).toEqual(capabilities);
  });

  test('T23: are pulled from ECR in the same region, from an image that no push can change', () => {
    expect(references(container?.Image ?? null)).toEqual([
      { name: 'BuilderRepository', attribute: 'RepositoryUri' },
      { name: 'BuilderTag', attribute: null },
    ]);
    expect(resource('BuilderRepository')).toMatchObject({
      ImageTagMutability: 'IMMUTABLE',
      ImageScanningConfiguration: { ScanOnPush: true },
    });
    const policy = resource('BuilderRepository').LifecyclePolicy as { LifecyclePolicyText: string };
    expect(JSON.parse(policy.LifecyclePolicyText).rules).toHaveLength(2);
  });

  test('reach the web and nothing else, and nothing reaches them', () => {
    const { SecurityGroupEgress, SecurityGroupIngress } = resource('BuildSecurityGroup');
    expect(SecurityGroupIngress).toBeUndefined();
    expect((SecurityGroupEgress as { FromPort: number; ToPort: number }[]).map(ports)).toEqual(['443', '80']);
    for (const group of ['DatabaseSecurityGroup', 'RedisSecurityGroup']) {
      const sources = references(resource(group).SecurityGroupIngress as Json).map(({ name }) => name);
      expect(sources).toEqual(['PlaneSecurityGroup']);
    }
  });
});

const ports = ({ FromPort, ToPort }: { FromPort: number; ToPort: number }) =>
  FromPort === ToPort ? String(FromPort) : `${FromPort}-${ToPort}`;

test('from everywhere only 80 and 443 of the control plane can be reached', () => {
  const open = ofType('AWS::EC2::SecurityGroup').flatMap(([name, { Properties }]) =>
    ((Properties.SecurityGroupIngress ?? []) as { CidrIp?: string; FromPort: number; ToPort: number }[])
      .filter(({ CidrIp }) => CidrIp !== undefined)
      .map((rule) => `${name} ${ports(rule)}`),
  );
  expect(open.sort()).toEqual(['PlaneSecurityGroup 443', 'PlaneSecurityGroup 80']);
});

describe('roles', () => {
  test('allow no action by a wildcard', () => {
    const actions = roles.flatMap(statementsOf).flatMap(actionsOf);
    expect(actions.filter((action) => action.includes('*'))).toEqual([]);
  });

  test('allow something on every resource only where AWS has no other way, each with its reason', () => {
    const everywhere = roles
      .flatMap(statementsOf)
      .filter(({ Resource }) => [Resource].flat().includes('*'))
      .flatMap(actionsOf);
    expect(everywhere.sort()).toEqual(Object.keys(withoutResource).sort());
    const list = statementsOf('PlaneRole').find(({ Action }) => Action === 'ecs:ListTasks');
    expect(list?.Condition).toHaveProperty(['ArnEquals', 'ecs:cluster']);
  });

  test('of the plane starts builders alone, in its own cluster, and hands on the execution role alone', () => {
    const [run, tag, pass] = ['ecs:RunTask', 'ecs:TagResource', 'iam:PassRole'].map((action) =>
      statementsOf('PlaneRole').find((statement) => actionsOf(statement).includes(action)),
    );
    expect(run?.Resource).toMatchObject({
      'Fn::Sub': expect.stringMatching(/:task-definition\/\$\{Name\}-builder:\*$/),
    });
    expect(run?.Condition).toHaveProperty(['ArnEquals', 'ecs:cluster']);
    expect(tag?.Condition).toEqual({ StringEquals: { 'ecs:CreateAction': 'RunTask' } });
    expect(pass?.Resource).toEqual({ 'Fn::GetAtt': 'ExecutionRole.Arn' });
    expect(pass?.Condition).toEqual({ StringEquals: { 'iam:PassedToService': 'ecs-tasks.amazonaws.com' } });
  });

  test('of the plane reaches every bucket of the account only where buckets are named by the slug alone', () => {
    const chosen = statementsOf('PlaneRole')
      .filter((statement) =>
        actionsOf(statement).some((action) => action.startsWith('s3:') && !action.includes('Account')),
      )
      .flatMap(({ Resource }) => walk(Resource))
      .flatMap(({ value }) =>
        value !== null && typeof value === 'object' && !Array.isArray(value) && Array.isArray(value['Fn::If'])
          ? [value['Fn::If'] as Json[]]
          : [],
      );
    const everything = chosen.filter(([, then]) => /s3:::\*/.test(JSON.stringify(then)));
    expect(everything.map(([condition]) => condition)).toEqual(['NamedBySlug', 'NamedBySlug']);
    const otherwise = chosen
      .filter(([condition]) => condition === 'NamedByPrefix')
      .flatMap(([, ...rest]) => rest);
    expect(otherwise).toHaveLength(4);
    for (const arn of otherwise) expect(JSON.stringify(arn)).toMatch(/s3:::\$\{BucketPrefix\}/);
  });
});

/** What a signed URL of an object is, by its method. */
const signed: Record<string, string> = { GET: 'GetObject', PUT: 'PutObject' };

describe('the role of the plane', () => {
  const sources = readdirSync('server', { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => readFileSync(join('server', file), 'utf8'));
  /** `new SomethingCommand(`, and what is sent as a signed request of our own, known by its header or its method. */
  const commands = new Set(
    sources.flatMap((text) => [
      ...[...text.matchAll(/\bnew (\w+)Command\(/g)].map((match) => match[1] as string),
      ...(text.includes("'x-amz-copy-source'") ? ['CopyObject'] : []),
      ...[...text.matchAll(/\bmethod: '([A-Z]+)'.*\bbucket\b/g)].map(
        (match) => signed[match[1] as string] ?? '',
      ),
    ]),
  );
  const allowed = new Set(statementsOf('PlaneRole').flatMap(actionsOf));

  test('allows every request that the plane makes of AWS', () => {
    const unlisted = [...commands].filter((command) => !(command in permissionsOf));
    expect(unlisted, 'add them to test/infra/permissions.ts').toEqual([]);
    const refused = [...commands].flatMap((command) =>
      (permissionsOf[command] ?? []).filter((action) => !allowed.has(action)),
    );
    expect(refused).toEqual([]);
  });

  test('allows nothing that no request needs', () => {
    expect(Object.keys(permissionsOf).filter((command) => !commands.has(command))).toEqual([]);
    const needed = new Set(Object.values(permissionsOf).flat());
    expect([...allowed].filter((action) => !needed.has(action))).toEqual([]);
  });
});

test('the outputs are lines of plane.env, each variable once, and its example has every variable', () => {
  const lines = Object.values(Outputs).flatMap(({ Value }) => {
    const text = walk(Value)
      .map(({ value }) => value)
      .find((value) => /^[A-Z_]+=/.test(String(value)));
    return text === undefined ? [] : [/^[A-Z_]+/.exec(String(text))?.[0]];
  });
  const example = readFileSync('infra/plane.env.example', 'utf8');
  const named = [...example.matchAll(/^(?:# )?([A-Z][A-Z0-9_]+)=/gm)].map((match) => match[1]);
  expect([...new Set(named)].sort()).toEqual(Object.keys(hostedEnvironment).sort());
  expect(new Set(lines).size).toBe(lines.length);
  expect(lines.length).toBeGreaterThan(14);
  expect(lines.filter((name) => !named.includes(name))).toEqual([]);
});
