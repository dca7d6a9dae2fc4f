/** The shapes of what the emulator takes. A member that ECS does not have is refused, not ignored. */
import { z } from 'zod';
import { Refusal } from './refusal.ts';

const text = z.string();
const texts = z.array(text);
const keyValue = z.strictObject({ name: text.optional(), value: text.optional() });
const tag = z.strictObject({ key: text.optional(), value: text.optional() });

const containerOverride = z.strictObject({
  name: text.optional(),
  command: texts.optional(),
  environment: z.array(keyValue).optional(),
  environmentFiles: z.array(z.strictObject({ value: text, type: text })).optional(),
  cpu: z.int().optional(),
  memory: z.int().optional(),
  memoryReservation: z.int().optional(),
  resourceRequirements: z.array(z.strictObject({ value: text, type: text })).optional(),
});

const runTask = z.strictObject({
  capacityProviderStrategy: z
    .array(z.strictObject({ capacityProvider: text, weight: z.int().optional(), base: z.int().optional() }))
    .optional(),
  cluster: text.optional(),
  count: z.int().optional(),
  enableECSManagedTags: z.boolean().optional(),
  enableExecuteCommand: z.boolean().optional(),
  group: text.optional(),
  launchType: z.enum(['EC2', 'EXTERNAL', 'FARGATE', 'MANAGED_INSTANCES']).optional(),
  networkConfiguration: z
    .strictObject({
      awsvpcConfiguration: z
        .strictObject({
          subnets: texts,
          securityGroups: texts.optional(),
          assignPublicIp: z.enum(['ENABLED', 'DISABLED']).optional(),
        })
        .optional(),
    })
    .optional(),
  overrides: z
    .strictObject({
      containerOverrides: z.array(containerOverride).optional(),
      cpu: text.optional(),
      memory: text.optional(),
      executionRoleArn: text.optional(),
      taskRoleArn: text.optional(),
      ephemeralStorage: z.strictObject({ sizeInGiB: z.int() }).optional(),
    })
    .optional(),
  placementConstraints: z.array(z.strictObject({ type: text, expression: text })).optional(),
  placementStrategy: z.array(z.strictObject({ type: text, field: text })).optional(),
  platformVersion: text.optional(),
  propagateTags: z.enum(['TASK_DEFINITION', 'SERVICE', 'NONE']).optional(),
  startedBy: text.optional(),
  tags: z.array(tag).optional(),
  taskDefinition: text,
  clientToken: text.optional(),
});
export type RunTaskInput = z.infer<typeof runTask>;

const inputs = {
  RunTask: runTask,
  DescribeTasks: z.strictObject({
    cluster: text.optional(),
    tasks: texts,
    include: z.array(z.enum(['TAGS'])).optional(),
  }),
  ListTasks: z.strictObject({
    cluster: text.optional(),
    containerInstance: text.optional(),
    family: text.optional(),
    nextToken: text.optional(),
    maxResults: z.int().optional(),
    startedBy: text.optional(),
    serviceName: text.optional(),
    desiredStatus: z.enum(['RUNNING', 'PENDING', 'STOPPED']).optional(),
    launchType: z.enum(['EC2', 'EXTERNAL', 'FARGATE', 'MANAGED_INSTANCES']).optional(),
  }),
  StopTask: z.strictObject({ cluster: text.optional(), task: text, reason: text.optional() }),
  DescribeClusters: z.strictObject({
    clusters: texts.optional(),
    include: z.array(z.enum(['ATTACHMENTS', 'CONFIGURATIONS', 'SETTINGS', 'STATISTICS', 'TAGS'])).optional(),
  }),
  DescribeTaskDefinition: z.strictObject({
    taskDefinition: text,
    include: z.array(z.enum(['TAGS'])).optional(),
  }),
};

export type Operation = keyof typeof inputs;
export type Input<O extends Operation> = z.infer<(typeof inputs)[O]>;

/** Throws SerializationException for a member that is unknown, missing or of another type. */
export function readInput<O extends Operation>(operation: O, body: unknown): Input<O> {
  const result = inputs[operation].safeParse(body);
  if (result.success) return result.data as Input<O>;
  throw new Refusal('SerializationException', z.prettifyError(result.error));
}

/** Whether the emulator has the operation. */
export function isOperation(name: string): name is Operation {
  return Object.hasOwn(inputs, name);
}
