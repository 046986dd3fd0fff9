/**
 * How a generation comes and goes on this node: `docs/generations.md`, as one pure function. It says what the node is to hold, on what
 * it may send, and whether its door is shut; and for whom it waits. One step a call: call it again after each.
 *
 *   enable          hold n,    sending 0,n       and then, when every peer of then has its route, sending n
 *   begin           hold n,n+1 sending n,n+1
 *   switch          hold n,n+1 sending n+1       when no route of ours is on n
 *   withdraw        hold n+1                     when nobody sends on n, and nothing came in on it for a while
 *   disable         door open, then no route, then sending 0 (the record goes), then hold nothing
 */
import { mostCommon, newestOfMost } from './common-generation.ts';
import {
  type Choice,
  type Company,
  driverOf,
  inability,
  isAstray,
  isSame,
  lists,
  newestPossible,
  yields,
} from './driver-choice.ts';
import { held as heldProblem, unable } from './driver-problems.ts';
import type { Lifecycle, LifecycleInput, LifecycleProblem, Waiting } from './lifecycle-types.ts';
import {
  adding,
  change,
  type Driver,
  doorOf,
  firstStance,
  type HeldGeneration,
  hold,
  IN_CLEAR,
  isPublished,
  type Stance,
  without,
} from './stance.ts';
import type { NodeRecord } from './types.ts';
import { believed, voicesOf, willTakePart } from './voices.ts';
import { doorsShut, hasRoute, notRouted, notSwitched, onOld } from './waiting.ts';

export type { Lifecycle, LifecycleInput, Silence, Waiting } from './lifecycle-types.ts';
export type { HeldGeneration, Stance, Target } from './stance.ts';

/**
 * Milliseconds that a node must find itself alone with its keys before it takes older ones: records that are out of date show others
 * where they were.
 */
export const JUMP_BACK_AFTER = 60_000;
/** How many times `rotation.drain` a generation is listened on when every record says that nobody sends on it. */
export const LONGEST_DRAIN = 5;

/** Records of the others, but for those that nobody waits for. */
interface Scene extends LifecycleInput {
  readonly others: readonly NodeRecord[];
}

interface Step {
  readonly stance: Stance;
  readonly unroute?: boolean;
  readonly possible?: ReadonlyMap<string, number>;
  readonly waiting?: readonly Waiting[];
  readonly problems?: readonly LifecycleProblem[];
  readonly nextAt?: number;
}

export function lifecycle(input: LifecycleInput): Lifecycle {
  const { self, target, records } = input;
  const passed = new Set(target.passOver);
  const scene = { ...input, others: records.filter(({ name }) => name !== self && !passed.has(name)) };
  const stance = turnDoor(scene, input.stance ?? firstStance(target));
  const step = target.encryption === 'none' ? disable(scene, stance) : mesh(scene, stance, target.encryption);
  return { unroute: false, possible: new Map(), waiting: [], problems: [], ...step };
}

/** Shut at once. Opened at once too, and only then does anything else happen: others wait for our word that it is open. */
function turnDoor(scene: Scene, stance: Stance): Stance {
  const mode = doorOf(scene.target);
  if (mode === stance.mode) return stance;
  if (mode === 'strict')
    return change(stance, { mode, clear: new Set(), sending: without(stance.sending, IN_CLEAR) });
  const clear = scene.target.encryption === 'none' ? new Set<string>() : unrouted(scene);
  const sends = clear.size > 0 || scene.target.encryption === 'none';
  const sending = sends ? adding(stance.sending, IN_CLEAR) : stance.sending;
  const { wish } = scene.target;
  return change(stance, { mode, clear, sending, ...(wish === undefined ? {} : { openedBy: wish }) });
}

function disable(scene: Scene, stance: Stance): Step {
  const { held } = stance;
  if (held.length === 0) return { stance: change(stance, { sending: [IN_CLEAR], clear: new Set() }) };
  if (!isPublished(stance)) return end(scene, stance);
  const { wish = 0 } = scene.target;
  const { openedBy = 0 } = stance;
  // A resource that was made anew counts anew.
  const waiting = doorsShut(scene.others, openedBy > wish ? 0 : openedBy);
  // Our own door opens first, by itself.
  if (stance !== scene.stance || waiting.length > 0) return { stance, waiting };
  // Promised until the last packet was sent, and taken back then.
  const next = scene.unrouted ? change(stance, { sending: [IN_CLEAR], clear: new Set() }) : stance;
  return { stance: next, unroute: true };
}

/** Devices and keys stay until nobody can learn the keys any more: who still sends to them must be heard. */
function end({ published }: Scene, stance: Stance): Step {
  if (published) return { stance, unroute: true };
  return { stance: change(stance, { held: [], clear: new Set() }) };
}

function mesh(scene: Scene, before: Stance, driver: Driver): Step {
  const stance = inClear(scene, before);
  const waiting = stance.clear.size === 0 ? [] : notRouted(scene, stance.clear);
  const newest = stance.held.at(-1);
  if (newest === undefined) return enable(scene, stance, driver);
  // Others may have forgotten our key, and with it the sessions that we would take for living ones: what was begun is ended first.
  if (!isPublished(stance)) return end(scene, stance);
  const step = jump(scene, stance, newest) ?? rotate(scene, { stance, newest, driver });
  return { ...step, waiting: merge(waiting, step.waiting ?? []) };
}

/** Those of `clear` that still have a record and no route; when there are none, nothing is sent in clear any more. */
function inClear(scene: Scene, stance: Stance): Stance {
  if (stance.held.length === 0) return stance;
  const open = stance.clear.size === 0 ? stance.clear : unrouted(scene);
  const remaining = new Set([...stance.clear].filter((uid) => open.has(uid)));
  const sending = remaining.size === 0 ? without(stance.sending, IN_CLEAR) : stance.sending;
  return change(stance, { clear: remaining, sending: sending.length === 0 ? stance.sending : sending });
}

/** Uids of those with a key, or who will have one, and no route of ours. */
function unrouted({ others, statuses, target }: Scene): ReadonlySet<string> {
  const found = others.filter(
    (record) => willTakePart(record, target.encryption) && !hasRoute(statuses.get(record.name)),
  );
  return new Set(found.map(({ uid }) => uid));
}

/** A device that still listens for what was sent before encryption was switched off must be gone first. */
function enable(scene: Scene, stance: Stance, driver: Driver): Step {
  const { others, target, leaving } = scene;
  if (leaving.size > 0) return { stance };
  const number = believed(scene, mostCommon(others))?.number ?? target.generation;
  const wished = { number, driver: driverOf(number, scene, driver) };
  const why = inability(target, wished.driver);
  if (why === undefined) return { stance: start(scene, stance, wished) };
  const instead = newestPossible(scene, voicesOf(scene));
  const problems = [unable(wished, why, instead)];
  return { stance: instead === undefined ? stance : start(scene, stance, instead), problems };
}

/** A rotation from 0 to it. Who comes later changes nothing, or each newcomer would make every node write. */
function start(scene: Scene, stance: Stance, { number, driver }: Choice): Stance {
  const held = [hold(number, driver, scene.target.port)];
  const clear = stance.mode === 'strict' ? new Set<string>() : unrouted(scene);
  return change(stance, { held, clear, sending: clear.size === 0 ? [number] : [IN_CLEAR, number] });
}

/**
 * Nobody else lists a generation of ours: as after a long absence. Of several such nodes at once one must stay where it is: so a
 * node goes back only to where several are.
 */
function jump(scene: Scene, stance: Stance, newest: HeldGeneration): Step | undefined {
  const { others, target, possible, now } = scene;
  const accompanied = others.some((record) => stance.held.some((one) => lists(record, one)));
  if (accompanied && !isAstray(scene, newest)) return undefined;
  const { goal, problems } = companyOf(scene, newest.driver);
  // Whom it cannot follow it does not step after either.
  if (goal === undefined) return problems.length === 0 ? undefined : { stance, problems };
  if (stance.held.some((one) => isSame(one, goal))) return undefined;
  const jumped = () => start(scene, stance, goal);
  if (goal.number > newest.number) return { stance: jumped(), problems };
  // Of two that differ by the driver alone, the one that does not have what is wished goes.
  const wished = goal.number === newest.number && goal.number === target.generation;
  if (goal.count < 2 && !(wished && goal.driver === target.encryption)) return undefined;
  const name = `jump ${goal.number}`;
  const since = Math.min(possible.get(name) ?? now, now);
  if (now - since >= JUMP_BACK_AFTER) return { stance: jumped(), problems };
  return { stance, possible: new Map([[name, since]]), nextAt: since + JUMP_BACK_AFTER, problems };
}

/** Where the others are, or else the newest of theirs that this node can do. */
function companyOf(
  scene: Scene,
  before: Driver,
): { goal: Company | undefined; problems: readonly LifecycleProblem[] } {
  const common = believed(scene, mostCommon(scene.others));
  if (common === undefined) return { goal: undefined, problems: [] };
  const goal = { ...common, driver: driverOf(common.number, scene, before) };
  const why = inability(scene.target, goal.driver);
  if (why === undefined) return { goal, problems: [] };
  const instead = newestPossible(scene, voicesOf(scene));
  return { goal: instead, problems: [unable(goal, why, instead)] };
}

interface Holding {
  readonly stance: Stance;
  readonly newest: HeldGeneration;
  readonly driver: Driver;
}

function rotate(scene: Scene, { stance, newest, driver }: Holding): Step {
  const [old] = stance.held;
  if (old === undefined || old === newest) return begin(scene, { stance, newest, driver });
  if (yields(scene, newest) && scene.others.some((record) => lists(record, old))) {
    const sending = adding(without(stance.sending, newest.number), old.number);
    return { stance: change(stance, { held: [old], sending }) };
  }
  if (stance.sending.includes(old.number)) {
    const waiting = onOld(scene, old, newest);
    if (waiting.length > 0) return { stance, waiting };
    return { stance: change(stance, { sending: without(stance.sending, old.number) }) };
  }
  return withdraw(scene, stance, old);
}

/** One step at a time: n+2 takes the device of n. */
function begin(scene: Scene, { stance, newest, driver }: Holding): Step {
  const { target, others, leaving } = scene;
  const wanted = Math.max(target.generation, believed(scene, newestOfMost(others))?.number ?? 0);
  if (wanted <= newest.number)
    return { stance, problems: newest.driver === driver ? [] : [heldProblem(newest, driver)] };
  const number = newest.number + 1;
  const next = hold(number, driverOf(number, scene, newest.driver), target.port);
  const why = inability(target, next.driver);
  if (why !== undefined) return { stance, problems: [unable(next, why, newest)] };
  if (leaving.size > 0) return { stance };
  return { stance: change(stance, { held: [newest, next], sending: adding(stance.sending, number) }) };
}

/** Who said that it sends on it no more, and does, is heard for a while, and not for ever: nobody could tell who it is. */
function withdraw(scene: Scene, stance: Stance, old: HeldGeneration): Step {
  const { others, target, silence, possible, now } = scene;
  const waiting = notSwitched(others, old);
  const silent = silence.get(old.number);
  if (waiting.length > 0 || silent === undefined) return { stance, waiting };
  const name = `withdraw ${old.number}`;
  const since = Math.min(possible.get(name) ?? now, now);
  const until = since + target.drain * LONGEST_DRAIN;
  if (silent.until - silent.since >= target.drain || now >= until)
    return { stance: change(stance, { held: stance.held.filter((one) => one !== old) }) };
  const nextAt = Math.max(now, Math.min(until, silent.since + target.drain));
  return { stance, possible: new Map([[name, since]]), nextAt };
}

/** One entry a node: what it is waited for first. */
function merge(a: readonly Waiting[], b: readonly Waiting[]): readonly Waiting[] {
  const named = new Set(a.map(({ node }) => node));
  return [...a, ...b.filter(({ node }) => !named.has(node))].sort((x, y) => (x.node < y.node ? -1 : 1));
}
