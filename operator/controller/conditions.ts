/** The conditions of the resource, each with a reason that a person can act on. */
import type { Straggler } from '../../mesh/progress.ts';
import { wayOf } from '../../mesh/rotation-progress.ts';
import type { Condition } from '../config/resource.ts';
import { parseDuration } from '../config/values.ts';
import { driverOf, type Facts, rfc3339 } from './facts.ts';

type Judged = Pick<Condition, 'status' | 'reason' | 'message'>;

/** Milliseconds that nodes may be waited for before a person is asked to look. */
export const PATIENCE = 600_000;
/** How many nodes are named in a message. */
const NAMED = 3;
const MESSAGE_MAX = 1024;

/** Writes of a cluster a second, in each of three steps: `docs/generations.md`. */
const WRITES = 50;
const STEPS = 3;
const DRAIN = 180_000;

export function conditions(facts: Facts): readonly Condition[] {
  const judged: Record<Condition['type'], Judged> = {
    Ready: ready(facts),
    Encrypted: encrypted(facts),
    Rotating: rotating(facts),
    Degraded: degraded(facts),
  };
  const { mesh, previous, now } = facts;
  const observed = mesh.metadata.generation;
  return (['Ready', 'Encrypted', 'Rotating', 'Degraded'] as const).map((type) => {
    const { status, reason, message } = judged[type];
    const before = conditionOf(previous?.conditions, type);
    return {
      type,
      status,
      reason,
      message: message.slice(0, MESSAGE_MAX),
      ...(observed === undefined ? {} : { observedGeneration: observed }),
      lastTransitionTime: before?.status === status ? before.lastTransitionTime : rfc3339(now),
    };
  });
}

export function conditionOf(
  list: readonly Condition[] | undefined,
  type: Condition['type'],
): Condition | undefined {
  return list?.find((condition) => condition.type === type);
}

/** Whether all is as the spec says. */
function ready(facts: Facts): Judged {
  const { mesh, waiting, total, doors } = facts;
  if (mesh.invalid !== undefined) return invalid(mesh.invalid);
  if (mesh.metadata.deletionTimestamp !== undefined)
    return no('Deleting', `every node switches encryption off first; ${waitsFor(waiting)}`);
  if (driverOf(mesh) === 'none')
    return waiting.length === 0
      ? yes('Disabled', 'encryption is off: traffic between nodes is in clear')
      : no('Disabling', waitsFor(waiting));
  if (total === 0) return no('NoNodes', 'spec.nodeSelector selects no Node');
  if (waiting.length > 0) return no('NodesWaiting', waitsFor(waiting));
  if (doors.length > 0) return no(mesh.wish.mode === 'strict' ? 'DoorsOpen' : 'DoorsShut', waitsFor(doors));
  if (facts.rotation?.partial === true) return no('NodesUnable', list(facts.rotation.stragglers));
  return yes('AsSpecified', `${count(total, 'node')} encrypted, mode ${mesh.wish.mode ?? 'permissive'}`);
}

function encrypted(facts: Facts): Judged {
  const { mesh, total, encrypted: done, waiting } = facts;
  if (mesh.invalid !== undefined) return unknown();
  if (driverOf(mesh) === 'none')
    return no('Disabled', done === 0 ? 'encryption is off' : `${count(done, 'node')} still encrypted`);
  if (total === 0) return no('NoNodes', 'spec.nodeSelector selects no Node');
  return done === total
    ? yes(
        'AllNodes',
        `${done} of ${count(total, 'node')} send nothing in clear to each other${byDriver(facts)}`,
      )
    : no('SomeNodes', `${done} of ${count(total, 'node')}; ${waitsFor(waiting)}`);
}

/** As the end of a sentence. */
function byDriver({ driver, generation, rotation }: Facts): string {
  if (driver === undefined || generation === undefined) return '';
  if (rotation?.partial !== true) return `, by ${driver}`;
  return `, by ${rotation.toDriver} where both can, else by ${driver}: ${list(rotation.stragglers)}`;
}

function rotating({ mesh, rotation, generation }: Facts): Judged {
  if (mesh.invalid !== undefined) return unknown();
  if (rotation === undefined)
    return generation === undefined
      ? no('NoKeys', 'no node sends on any generation')
      : no('Settled', `all nodes with keys are on generation ${generation}`);
  const { total, published, switched, withdrawn, stragglers, partial } = rotation;
  if (partial)
    return yes(
      'Partial',
      `${wayOf(rotation)}: ${published} of ${total} have a key of the new one, and keep the old one for those that cannot: ${list(stragglers)}; it ends, and the next can begin, when these can, are deleted, or are left out with spec.nodeSelector`,
    );
  const phase = published < total ? 'Publishing' : switched < total ? 'Switching' : 'Withdrawing';
  const counts = `${published} of ${total} published, ${switched} switched, ${withdrawn} withdrawn`;
  return yes(phase, `${wayOf(rotation)}: ${counts}; ${waitsFor(stragglers)}`);
}

/** Whether a person has to do something. */
function degraded(facts: Facts): Judged {
  const { mesh, waiting, rotation, rotationStatus } = facts;
  if (mesh.invalid !== undefined) return { ...invalid(mesh.invalid), status: 'True' };
  const stuck = [...waiting, ...(rotation?.stragglers ?? [])].filter((straggler) => straggler.stuck);
  if (stuck.length > 0) return yes('NodesUnable', list(stuck));
  if (waiting.length > 0 && waitsTooLong(facts))
    return yes('NodesWaiting', `${list(waiting)}; ${wayOut(facts)}`);
  if (rotation !== undefined && isHeldUp(facts))
    return yes(
      'RotationHeldUp',
      `${wayOf(rotation)}, since ${rotationStatus?.startedAt}: ${list(rotation.stragglers)}; who stays away is passed over with 'sheath rotate --pass-over ${rotation.stragglers[0]?.node}'`,
    );
  if (facts.ahead.length > 0) return yes('NodesAhead', list(facts.ahead));
  if (facts.forgotten.length > 0)
    return yes(
      'NodesPassedOver',
      `${names(facts.forgotten)} well again, and still in spec.rotation.passOver: others rotate and switch off without waiting; count all again with 'sheath rotate --pass-over none'`,
    );
  return behind(facts) ?? no('AsExpected', 'nothing needs a person');
}

/** Scheduled rotations raise by one, and what is below that which the nodes hold moves nothing. */
function behind({ mesh, held }: Facts): Judged | undefined {
  const { rotation, generation = 1 } = mesh.wish;
  if (rotation?.interval === undefined || held === undefined || held <= generation) return undefined;
  return yes(
    'GenerationBehind',
    `nodes hold generation ${held}, spec.generation says ${generation}: no rotation is scheduled until it is set to ${held}`,
  );
}

function waitsTooLong({ previous, now }: Facts): boolean {
  const before = conditionOf(previous?.conditions, 'Ready');
  return before?.status === 'False' && now - Date.parse(before.lastTransitionTime) >= PATIENCE;
}

function wayOut({ mesh }: Facts): string {
  return driverOf(mesh) === 'none'
    ? 'delete the Nodes that are gone, or name them in spec.rotation.passOver'
    : 'mend them, delete the Nodes that are gone, or leave them out with spec.nodeSelector';
}

/** Longer than the enforced waits and our patience together. */
function isHeldUp({ mesh, rotation, rotationStatus, now }: Facts): boolean {
  if (rotationStatus === undefined) return false;
  const drain = parseDuration(mesh.wish.rotation?.drain ?? '') ?? DRAIN;
  const paced = ((rotation?.total ?? 0) / WRITES) * STEPS * 1000;
  return now - Date.parse(rotationStatus.startedAt) >= PATIENCE + drain + paced;
}

function waitsFor(stragglers: readonly Straggler[]): string {
  return stragglers.length === 0 ? 'nobody is waited for' : list(stragglers);
}

/** `n1: reason; n2: reason; and 3 more: n3, n4 ...` */
function list(stragglers: readonly Straggler[]): string {
  const shown = stragglers.slice(0, NAMED).map(({ node, reason }) => `${node}: ${reason}`);
  const more = stragglers.length - shown.length;
  return more > 0 ? `${shown.join('; ')}; and ${more} more` : shown.join('; ');
}

/** `n1 is`, `n1, n2 are`. */
function names(all: readonly string[]): string {
  const shown = all.slice(0, NAMED).join(', ');
  const more = all.length > NAMED ? ` and ${all.length - NAMED} more` : '';
  return `${shown}${more} ${all.length === 1 ? 'is' : 'are'}`;
}

function invalid(message: string): Judged {
  return no(
    'InvalidSpec',
    `the last good spec stays in force on the nodes; ${message.replaceAll('\n', '; ')}`,
  );
}

function yes(reason: string, message: string): Judged {
  return { status: 'True', reason, message };
}

function no(reason: string, message: string): Judged {
  return { status: 'False', reason, message };
}

function unknown(): Judged {
  return { status: 'Unknown', reason: 'InvalidSpec', message: 'what is wished cannot be read' };
}

function count(number: number, thing: string): string {
  return `${number} ${thing}${number === 1 ? '' : 's'}`;
}
