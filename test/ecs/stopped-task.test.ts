/** Every way in which a builder's task stops, in the words of ECS, and what is made of it. */
import { describe, expect, test } from 'vitest';
import {
  endOfMissingTask,
  endOfStoppedTask,
  type StoppedTask,
} from '../../server/adapters/ecs/stopped-task.ts';

const exited = (
  container: StoppedTask['container'],
  stopCode = 'EssentialContainerExited',
  stoppedReason = 'Essential container in task exited',
): StoppedTask => ({ stopCode, stoppedReason, container: { runtimeId: 'abc-1', ...container } });
const neverStarted = (stoppedReason: string, reason?: string): StoppedTask => ({
  stopCode: 'TaskFailedToStart',
  stoppedReason,
  container: { reason },
});
const ended = (stopCode: string, stoppedReason: string, exitCode = 143): StoppedTask =>
  exited({ exitCode }, stopCode, stoppedReason);

test.each([
  [
    'as Fargate says it',
    exited({ exitCode: 137, reason: 'OutOfMemoryError: Container killed due to memory usage' }),
  ],
  [
    'in the reason of the task',
    exited(
      { exitCode: 137 },
      'EssentialContainerExited',
      'OutOfMemoryError: container killed due to memory usage',
    ),
  ],
  ['without an exit code', exited({ reason: 'OutOfMemoryError: Container killed due to memory usage' })],
])(`T22: memory that ran out is the build's own end: %s`, (_what, task) => {
  const end = endOfStoppedTask(task);
  expect(end.reason).toBe('out_of_memory');
  expect(end.error.code).toBe('BUILD_OUT_OF_MEMORY');
  expect(end.error.hint).toMatch(/Raise the memory of the builder's task definition/);
});

describe("all else is infrastructure, never the build's failure", () => {
  test.each<[string, StoppedTask, RegExp, RegExp]>([
    [
      'T25: Spot',
      ended('SpotInterruption', 'Your Spot Task was interrupted.'),
      /Spot capacity back/,
      /on-demand/,
    ],
    [
      'T25: Spot that took longer than its two minutes',
      ended('SpotInterruption', 'Your Spot Task was interrupted.', 137),
      /Spot capacity back/,
      /on-demand/,
    ],
    [
      'T25: Spot by its text only, as events have had it',
      ended('TerminationNotice', 'Your Spot Task was interrupted.'),
      /Spot capacity back/,
      /Deploy again/,
    ],
    [
      'T25: retirement of the host',
      ended(
        'TerminationNotice',
        'ECS is performing maintenance on the underlying infrastructure hosting the task.',
      ),
      /work on the machine/,
      /Deploy again/,
    ],
    [
      'T25: a host that fell ill',
      ended('InfrastructureHealth', 'Task stopped because its host is unhealthy'),
      /work on the machine/,
      /Deploy again/,
    ],
    [
      'T24: the plane itself',
      ended('UserInitiated', 'Sphere: the plane has ended this attempt.'),
      /the plane stopped the builder/,
      /Deploy again/,
    ],
    ['T24: somebody else', ended('UserInitiated', 'Task stopped by user'), /somebody stopped/, /CloudTrail/],
    [
      'a service',
      ended('ServiceSchedulerInitiated', 'Scaling activity initiated by deployment ecs-svc/0123456789'),
      /an ECS service/,
      /no ECS service/,
    ],
    [
      'T23: a registry that counts',
      neverStarted(
        'CannotPullContainerError: inspect image has been retried 5 time(s): httpReadSeeker: failed open: unexpected status code https://registry-1.docker.io/v2/library/node/manifests/sha256:0123: 429 Too Many Requests - Server message: toomanyrequests: You have reached your pull rate limit.',
      ),
      /limits how often/,
      /ECR/,
    ],
    [
      'T23: an image that is not there',
      neverStarted(
        'CannotPullContainerError: ref pull has been retried 1 time(s): failed to resolve reference "123456789012.dkr.ecr.eu-central-1.amazonaws.com/sphere-builder:9": 123456789012.dkr.ecr.eu-central-1.amazonaws.com/sphere-builder:9: not found',
      ),
      /not in its registry/,
      /Publish the builder.s image/,
    ],
    [
      'T23: no way to the registry',
      neverStarted(
        'Task failed to start',
        'CannotPullContainerError: pull image manifest has been retried 5 time(s): failed to resolve ref 123456789012.dkr.ecr.eu-central-1.amazonaws.com/sphere-builder:1: failed to do request: Head "https://123456789012.dkr.ecr.eu-central-1.amazonaws.com/v2/sphere-builder/manifests/1": dial tcp 52.1.2.3:443: i/o timeout',
      ),
      /did not reach/,
      /assignPublicIp ENABLED.*NAT gateway/,
    ],
    [
      'T23: a way to nothing, said by the agent',
      neverStarted(
        'ResourceInitializationError: unable to pull secrets or registry auth: The task cannot pull registry auth from Amazon ECR: There is a connection issue between the task and Amazon ECR. Check your task network configuration. RequestError: send request failed caused by: Post "https://api.ecr.eu-central-1.amazonaws.com/": dial tcp 52.1.2.3:443: i/o timeout',
      ),
      /did not reach/,
      /NAT gateway/,
    ],
    [
      'T23: an execution role that may not pull',
      neverStarted(
        'ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve ecr registry auth: service call has been retried 1 time(s): AccessDeniedException: User: arn:aws:sts::123456789012:assumed-role/sphere-execution/0123 is not authorized to perform: ecr:GetAuthorizationToken on resource: *',
      ),
      /not allowed/,
      /AmazonECSTaskExecutionRolePolicy/,
    ],
    [
      'T23: a log group that is not there',
      neverStarted(
        'ResourceInitializationError: failed to validate logger args: create stream has been retried 1 time(s): failed to create Cloudwatch log stream: ResourceNotFoundException: The specified log group does not exist. : exit status 1',
      ),
      /log group/,
      /Create the log group/,
    ],
    [
      'T23: something else that could not be prepared',
      neverStarted('ResourceInitializationError: failed to set up the volume'),
      /could not prepare/,
      /task definition/,
    ],
    [
      'T26: a disk that is too small for the image',
      neverStarted(
        'CannotPullContainerError: failed to extract layer sha256:0123: write /usr/lib/x: no space left on device: unknown',
      ),
      /too small a disk/,
      /21 to 200 GiB/,
    ],
    [
      'T23: an image for another processor',
      neverStarted(
        "CannotPullContainerError: image Manifest does not contain descriptor matching platform 'linux/amd64'",
      ),
      /processor/,
      /cpuArchitecture/,
    ],
    [
      'an image for another processor, noticed late',
      exited({ exitCode: 1, reason: 'exec /usr/bin/node: exec format error' }),
      /processor/,
      /cpuArchitecture/,
    ],
    [
      'T22: a container that could not be started',
      neverStarted(
        'Task failed to start',
        'CannotStartContainerError: failed to create shim task: OCI runtime create failed',
      ),
      /could not be started/,
      /server check/,
    ],
    [
      'an agent that lost its container',
      neverStarted(
        'Task failed to start',
        'ContainerRuntimeTimeoutError: Could not transition to running; timed out after waiting 1m',
      ),
      /lost hold/,
      /Deploy again/,
    ],
    [
      'a network interface that did not come',
      neverStarted('Timeout waiting for network interface provisioning to complete.'),
      /lost hold/,
      /Deploy again/,
    ],
    [
      'T16: capacity that was missing after the answer',
      neverStarted(
        'Capacity is unavailable at this time. Please try again later or in a different availability zone',
      ),
      /no capacity/,
      /availability zones/,
    ],
    [
      'T22: no exit code, and nothing said',
      neverStarted('Task failed to start'),
      /never started/,
      /server check/,
    ],
    ['no exit code after it had started', exited({}), /lost before it ended/, /Deploy again/],
    [
      'T22: SIGKILL, not for memory',
      exited({ exitCode: 137 }),
      /SIGKILL/,
      /memory of the builder's task definition/,
    ],
    ['T22: SIGTERM', exited({ exitCode: 143 }), /SIGTERM/, /Deploy again/],
    ['a builder that left without a word', exited({ exitCode: 0 }), /without reporting/, /CloudWatch/],
    ['another exit code', exited({ exitCode: 6 }), /exit code 6/, /CloudWatch/],
    ['nothing at all', { container: {} }, /never started/, /server check/],
  ])('%s', (_what, task, message, hint) => {
    const { reason, error } = endOfStoppedTask(task);
    expect(reason).toBe('infrastructure');
    expect(error.code).toBe('INFRASTRUCTURE');
    expect(error.message).toMatch(message);
    expect(error.hint).toMatch(hint);
    expect(error.message).not.toMatch(/undefined|null|\.$/);
  });
});

test('T19: what ECS said is kept in its own words, because ECS forgets it within an hour', () => {
  const { error } = endOfStoppedTask(exited({ exitCode: 6, reason: 'a reason' }));
  expect(error.details).toEqual([
    'EssentialContainerExited: Essential container in task exited',
    'a reason',
    'exit code 6',
  ]);
  expect(endOfMissingTask().error.hint).toMatch(/hour/);
});
