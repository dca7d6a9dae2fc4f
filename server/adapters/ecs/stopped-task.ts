/**
 * Why a builder's task has stopped, in a sentence that a person can act on. ECS keeps its word for an hour only (T19), so
 * that it is translated when it is first seen. Where a code says it, the code is asked; the rest is only in the text.
 */
import type { Container, Task } from '@aws-sdk/client-ecs';
import type { ErrorBody } from '../../../contract/errors.ts';
import type { BuilderEnd } from '../../ports.ts';

/** How StopTask's reason begins when the plane itself asked for it. */
export const stoppedByPlane = 'Sphere:';

/** What is needed of a stopped task. */
export type StoppedTask = {
  stopCode?: string | undefined;
  stoppedReason?: string | undefined;
  container: Pick<Container, 'exitCode' | 'reason' | 'runtimeId'>;
};

/** Picks out of `task` what says how its container `name` ended. */
export function stoppedTaskOf(task: Task, name: string): StoppedTask {
  const { stopCode, stoppedReason, containers = [] } = task;
  return { stopCode, stoppedReason, container: containers.find((one) => one.name === name) ?? {} };
}

/** What the end of a builder that did not report means. */
export function endOfStoppedTask(task: StoppedTask): BuilderEnd {
  const words = `${task.stoppedReason ?? ''}\n${task.container.reason ?? ''}`;
  // 137 is any SIGKILL: only the reason tells memory from the rest (T22).
  if (/OutOfMemory/i.test(words)) return outOfMemory(task);
  const [message, hint] = byCode(task) ?? byText(words) ?? byExit(task);
  return { reason: 'infrastructure', error: { code: 'INFRASTRUCTURE', message, hint, ...seenIn(task) } };
}

/** The end of a builder whose task ECS does not know, for longer than it takes to become known. */
export function endOfMissingTask(): BuilderEnd {
  return {
    reason: 'infrastructure',
    error: {
      code: 'INFRASTRUCTURE',
      message: "ECS does not know the builder's task any more, so that nobody can say how it ended",
      hint: 'Deploy again. ECS forgets stopped tasks after an hour: a plane that was away for longer cannot ask.',
    },
  };
}

type Said = [message: string, hint: string];

function outOfMemory(task: StoppedTask): BuilderEnd {
  return {
    reason: 'out_of_memory',
    error: {
      code: 'BUILD_OUT_OF_MEMORY',
      message: 'the build used more memory than its task has and was killed',
      hint: "Raise the memory of the builder's task definition, or make the build need less (fewer parallel workers, no source maps).",
      ...seenIn(task),
    },
  };
}

function byCode({ stopCode, stoppedReason = '' }: StoppedTask): Said | null {
  // Spot has come as TerminationNotice too, with this text (aws/containers-roadmap#1565).
  if (stopCode === 'SpotInterruption' || /Spot Task was interrupted/i.test(stoppedReason))
    return [
      'AWS took the Spot capacity back that the builder ran on',
      'Deploy again; an attempt after a loss runs on on-demand capacity.',
    ];
  switch (stopCode) {
    case 'TerminationNotice':
    case 'InfrastructureHealth':
      return ['AWS stopped the builder for work on the machine below it', 'Deploy again.'];
    case 'ServiceSchedulerInitiated':
      return [
        "an ECS service stopped the builder's task",
        "Build tasks belong to the plane: let no ECS service use the builder's task definition.",
      ];
    case 'UserInitiated':
      return stoppedReason.startsWith(stoppedByPlane)
        ? ['the plane stopped the builder before it reported a result', 'Deploy again.']
        : [
            "somebody stopped the builder's task in the AWS account",
            'Deploy again; CloudTrail says who called StopTask.',
          ];
    default:
      return null;
  }
}

/** The first that fits is said: what is special stands above what is general. */
const texts: readonly (readonly [RegExp, Said])[] = [
  [
    /CannotPull[\s\S]*(toomanyrequests|429 Too Many|pull rate limit)/i,
    [
      "the builder's image could not be pulled: its registry limits how often that is done",
      "Keep the image in ECR of the plane's region, which has no such limit, and name it in the task definition.",
    ],
  ],
  [
    /no space left on device/i,
    [
      "the builder's task has too small a disk",
      "Raise ephemeralStorage in the builder's task definition (21 to 200 GiB; without it 20 GiB, the image included).",
    ],
  ],
  [
    /CannotPull[\s\S]*(not found|manifest unknown|does not exist|name unknown)/i,
    [
      "the builder's image is not in its registry",
      "Publish the builder's image, or correct its name and tag in the task definition; `sphere server check` looks for it.",
    ],
  ],
  [
    /CannotPull[\s\S]*(platform|no match for platform|image Manifest does not contain)/i,
    [
      "the builder's image was not built for the processor of the task definition",
      'Build the image for it, or change cpuArchitecture in the task definition.',
    ],
  ],
  [
    /(CannotPull|ResourceInitializationError)[\s\S]*(AccessDenied|not authorized|access denied|no basic auth|\b403\b)/i,
    [
      "the builder's task was not allowed to fetch what it needs to start",
      "Give the task's execution role the policy AmazonECSTaskExecutionRolePolicy (images from ECR, logs to CloudWatch).",
    ],
  ],
  [
    /(CannotPull|ResourceInitializationError)[\s\S]*(i\/o timeout|timed? ?out|deadline exceeded|connection refused|no such host|dial tcp|connection issue|network)/i,
    [
      "the builder's task did not reach its image's registry or AWS",
      'A public subnet needs assignPublicIp ENABLED; a private one needs a NAT gateway or endpoints (ecr.api, ecr.dkr, s3, logs). The security group must let 443 out.',
    ],
  ],
  [
    /CannotPull/i,
    ["the builder's image could not be pulled", 'Check the image that the task definition names.'],
  ],
  [
    /ResourceInitializationError[\s\S]*(log group|logging driver|logger)/i,
    [
      "the log group of the builder's task could not be used",
      'Create the log group that the task definition names, and let the execution role write to it.',
    ],
  ],
  [
    /ResourceInitializationError/i,
    [
      "AWS could not prepare what the builder's task needs",
      "Look at the task definition's secrets, volumes and log configuration, and at the subnets' way out.",
    ],
  ],
  [
    /exec format error/i,
    [
      "the builder's image was not built for the processor of the task definition",
      'Build the image for it, or change cpuArchitecture in the task definition.',
    ],
  ],
  [
    /CannotStartContainer|CannotCreateVolume|CannotCreateContainer|ContainerRuntimeError/i,
    ["the builder's container could not be started", 'Check the task definition with `sphere server check`.'],
  ],
  [
    /ContainerRuntimeTimeout|DockerTimeout|CannotInspectContainer|CannotStopContainer|Timeout waiting for network interface/i,
    ["AWS lost hold of the builder's container", 'Deploy again.'],
  ],
  [
    /host (was |is )?terminated|host maintenance|underlying (host|infrastructure)|instance was (stopped|terminated)/i,
    ['AWS stopped the builder for work on the machine below it', 'Deploy again.'],
  ],
  [
    /capacity is unavailable/i,
    [
      "AWS has no capacity for the builder's task at the moment",
      'Deploy again later, or give the plane subnets in more availability zones.',
    ],
  ],
];

function byText(words: string): Said | null {
  return texts.find(([pattern]) => pattern.test(words))?.[1] ?? null;
}

function byExit({ container }: StoppedTask): Said {
  const { exitCode, runtimeId } = container;
  if (exitCode === undefined || exitCode === null)
    return runtimeId
      ? ["the builder's container was lost before it ended", 'Deploy again.']
      : [
          "the builder's container never started",
          'What ECS said is below; `sphere server check` looks at the task definition.',
        ];
  if (exitCode === 137)
    return [
      'the builder was killed (SIGKILL) before it reported a result, and not for memory that ECS knows of',
      "Deploy again; if it happens again, raise the memory of the builder's task definition.",
    ];
  if (exitCode === 143) return ['the builder was told to end (SIGTERM) before it was done', 'Deploy again.'];
  if (exitCode === 0)
    return [
      'the builder ended without reporting a result',
      "Deploy again; the task's CloudWatch log says what it did last.",
    ];
  return [
    `the builder ended with exit code ${exitCode} before it reported a result`,
    "The task's CloudWatch log says why. A builder that cannot reach the plane ends like this too.",
  ];
}

/** ECS's own words, for whoever runs the plane. */
function seenIn({ stopCode, stoppedReason, container }: StoppedTask): Pick<ErrorBody, 'details'> {
  const details = [
    [stopCode, stoppedReason].filter(Boolean).join(': '),
    container.reason ?? '',
    container.exitCode === undefined || container.exitCode === null ? '' : `exit code ${container.exitCode}`,
  ].filter((line) => line !== '');
  return details.length === 0 ? {} : { details };
}
