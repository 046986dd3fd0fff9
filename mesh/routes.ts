/** Which packets take the tunnels: routes to peers that proved themselves, and the rules that lead packets to them. */
import { familyOf } from './address.ts';
import { podMark, podsAreMarked } from './pod-mark.ts';
import { contains, familyOfPrefix, hostPrefix, type Range, rangeOf } from './prefix.ts';
import type {
  Address,
  DeviceName,
  Family,
  MeshPlan,
  PeerPlan,
  PeerState,
  PeerStatus,
  Prefix,
  RouteEntry,
  RoutePlan,
  RuleEntry,
} from './types.ts';

/** A degraded peer keeps its route: else whoever drops our packets could force them into the clear. */
const HAS_ROUTE: ReadonlySet<PeerState> = new Set(['established', 'routed', 'degraded']);

/**
 * Scope `pods`: prefixes in the table, node addresses in the pod table, where only packets from our own prefixes look. Scope
 * `nodes`: all in the table. `throw` sends our own and exempt prefixes back to the cluster's routes. Nothing at all while no
 * peer has a route.
 *
 * @returns sorted: the table's `throw` routes, then by peer, then the pod table's by peer; the same object as before while
 *   nothing changed, and the same entries for each peer that did not
 */
export function planRoutes(plan: MeshPlan, statuses: ReadonlyMap<string, PeerStatus>): RoutePlan {
  const setting = textOf(plan);
  const known = memory.get(plan.devices);
  const before = known?.setting === setting ? known : undefined;
  const ways = waysOf(plan, statuses, before?.ways ?? []);
  const same = ways.length === before?.ways.length && ways.every((way, at) => way === before.ways[at]);
  if (same && before !== undefined) return before.routes;
  const routes = assemble(plan, ways);
  memory.set(plan.devices, { setting, ways, routes });
  return routes;
}

/** What was planned last, by the plan's devices: one object for all plans of one node and configuration. */
const memory = new WeakMap<MeshPlan['devices'], Memory>();

interface Memory {
  readonly setting: string;
  /** In the order of their peers. */
  readonly ways: readonly PeerWay[];
  readonly routes: RoutePlan;
}

/** All that routes rest on but the peers, as text. */
function textOf({ scope, routing, prefixSource, ownPrefixes, ownAddresses, exempt }: MeshPlan): string {
  return JSON.stringify([scope, routing, prefixSource, ownPrefixes, ownAddresses, exempt]);
}

interface PeerOn {
  readonly peer: PeerPlan;
  readonly device: DeviceName;
}

/** The way to one peer. */
interface PeerWay extends PeerOn {
  readonly main: readonly RouteEntry[];
  readonly pods: readonly RouteEntry[];
}

interface Setting {
  readonly plan: MeshPlan;
  readonly exempt: readonly Range[];
  readonly actions: Actions;
}

/** Peers come sorted by node, so that a step through both lists finds each way that is already known. */
function waysOf(
  plan: MeshPlan,
  statuses: ReadonlyMap<string, PeerStatus>,
  before: readonly PeerWay[],
): readonly PeerWay[] {
  const setting: Setting = { plan, exempt: plan.exempt.map(rangeOf), actions: actionsOf(plan) };
  const ways: PeerWay[] = [];
  let at = 0;
  for (const peer of plan.peers) {
    const device = deviceOf(plan, peer, statuses.get(peer.node));
    if (device === undefined) continue;
    while ((before[at]?.peer.node ?? peer.node) < peer.node) at += 1;
    const known = before[at];
    const same = known?.peer === peer && known.device === device;
    ways.push(same ? known : makeWay(setting, { peer, device }));
  }
  return ways;
}

/** The device of the newest generation that it is established on; where it proved itself and does so no more, of the one it was on. */
function deviceOf(
  { devices }: MeshPlan,
  peer: PeerPlan,
  status: PeerStatus | undefined,
): DeviceName | undefined {
  if (status === undefined || !HAS_ROUTE.has(status.state)) return undefined;
  const on = status.established?.at(-1) ?? status.generation;
  const device = peer.links.find(({ generation }) => generation === on)?.device;
  return devices.some(({ name, receiveOnly }) => receiveOnly && name === device) ? undefined : device;
}

function makeWay({ plan, exempt, actions }: Setting, { peer, device }: PeerOn): PeerWay {
  const wanted = (prefix: Prefix): boolean => !exempt.some((range) => contains(range, rangeOf(prefix)));
  const prefixes = peer.prefixes.filter(wanted);
  const addresses = peer.addresses.map(hostPrefix).filter(wanted);
  const inMain = plan.scope === 'nodes' ? [...prefixes, ...addresses] : prefixes;
  const inPods = plan.scope === 'nodes' ? [] : addresses;
  const { table, podTable } = plan.routing;
  const through = actions[device];
  return {
    peer,
    device,
    main: inMain.map((prefix) => ({ table, prefix, action: through[familyOfPrefix(prefix)] })),
    pods: inPods.map((prefix) => ({ table: podTable, prefix, action: through.plain })),
  };
}

function assemble(plan: MeshPlan, ways: readonly PeerWay[]): RoutePlan {
  const main: RouteEntry[] = [];
  const pods: RouteEntry[] = [];
  for (const way of ways) {
    for (const entry of way.main) main.push(entry);
    for (const entry of way.pods) pods.push(entry);
  }
  if (main.length === 0 && pods.length === 0) return { routes: [], rules: [] };
  return { routes: [...throws(plan), ...main, ...pods], rules: planRules(plan, main, pods) };
}

type Action = RouteEntry['action'];
/** Through a device: from the node's address of a family, or from whatever address a packet has. */
type Actions = Readonly<Record<DeviceName, Readonly<Record<Family | 'plain', Action>>>>;

/** A few objects for thousands of routes. */
function actionsOf(plan: MeshPlan): Actions {
  const through = (device: DeviceName): Actions[DeviceName] => ({
    4: { type: 'device', device, ...sourceFor(plan, 4) },
    6: { type: 'device', device, ...sourceFor(plan, 6) },
    plain: { type: 'device', device },
  });
  return { sheath0: through('sheath0'), sheath1: through('sheath1') };
}

/** A host's own packets to a remote pod must come from the node's address, the one that the peer lets through and can answer. */
function sourceFor(plan: MeshPlan, family: Family): { readonly source?: Address } {
  const source = plan.ownAddresses.find((address) => familyOf(address) === family);
  return source === undefined ? {} : { source };
}

function throws(plan: MeshPlan): readonly RouteEntry[] {
  const prefixes = new Set([...plan.ownPrefixes, ...plan.exempt]);
  return Array.from(prefixes, (prefix) => ({
    table: plan.routing.table,
    prefix,
    action: { type: 'throw' },
  }));
}

const FAMILIES = [4, 6] as const;

/** Only for families that have a route: a rule that leads nowhere would cost every packet a look. */
function planRules(plan: MeshPlan, main: readonly RouteEntry[], pods: readonly RouteEntry[]): RuleEntry[] {
  const { table, rulePriority, podTable, podRulePriority, fwmark } = plan.routing;
  const ofPods = { priority: podRulePriority, table: podTable };
  const mark = podsAreMarked(plan) ? podMark(fwmark) : undefined;
  const from =
    mark === undefined
      ? plan.ownPrefixes
          .filter((prefix) => hasFamily(pods, familyOfPrefix(prefix)))
          .map((prefix) => ({
            kind: 'from' as const,
            family: familyOfPrefix(prefix),
            ...ofPods,
            from: prefix,
          }))
      : FAMILIES.filter((family) => hasFamily(pods, family)).map((family) => ({
          kind: 'marked' as const,
          family,
          ...ofPods,
          ...mark,
        }));
  const unmarked = FAMILIES.filter((family) => hasFamily(main, family)).map((family) => ({
    kind: 'unmarked' as const,
    family,
    priority: rulePriority,
    table,
    ...fwmark,
  }));
  return [...from, ...unmarked];
}

function hasFamily(routes: readonly RouteEntry[], family: Family): boolean {
  return routes.some(({ prefix }) => familyOfPrefix(prefix) === family);
}
