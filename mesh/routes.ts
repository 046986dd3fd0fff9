/** Which packets take the tunnels: routes to peers that proved themselves, and the rules that lead packets to them. */
import { familyOf } from './address.ts';
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
 * @returns sorted: the table's `throw` routes, then by peer, then the pod table's by peer
 */
export function planRoutes(plan: MeshPlan, statuses: ReadonlyMap<string, PeerStatus>): RoutePlan {
  const exempt = plan.exempt.map(rangeOf);
  const main: RouteEntry[] = [];
  const pods: RouteEntry[] = [];
  for (const peer of plan.peers) {
    const device = deviceOf(peer, statuses.get(peer.node));
    if (device === undefined) continue;
    const entries = peerRoutes({ plan, exempt, peer, device });
    for (const entry of entries.main) main.push(entry);
    for (const entry of entries.pods) pods.push(entry);
  }
  if (main.length === 0 && pods.length === 0) return { routes: [], rules: [] };
  return { routes: [...throws(plan), ...main, ...pods], rules: planRules(plan, main, pods) };
}

/** The device of the generation that its status says it is established on. */
function deviceOf(peer: PeerPlan, status: PeerStatus | undefined): DeviceName | undefined {
  if (status === undefined || !HAS_ROUTE.has(status.state)) return undefined;
  return peer.links.find(({ generation }) => generation === status.generation)?.device;
}

interface PeerRoutes {
  readonly main: readonly RouteEntry[];
  readonly pods: readonly RouteEntry[];
}

interface PeerRoutesInput {
  readonly plan: MeshPlan;
  readonly exempt: readonly Range[];
  readonly peer: PeerPlan;
  readonly device: DeviceName;
}

const made = new WeakMap<PeerPlan, { readonly key: string; readonly routes: PeerRoutes }>();

/** The same objects as before while peer, device and what the plan says of routing stay. */
function peerRoutes(input: PeerRoutesInput): PeerRoutes {
  const { plan, peer, device } = input;
  const { table, podTable } = plan.routing;
  const key = [device, plan.scope, table, podTable, ...plan.ownAddresses, ...plan.exempt].join(' ');
  const known = made.get(peer);
  if (known?.key === key) return known.routes;
  const routes = makeRoutes(input);
  made.set(peer, { key, routes });
  return routes;
}

function makeRoutes({ plan, exempt, peer, device }: PeerRoutesInput): PeerRoutes {
  const wanted = (prefix: Prefix): boolean => !exempt.some((range) => contains(range, rangeOf(prefix)));
  const prefixes = peer.prefixes.filter(wanted);
  const addresses = peer.addresses.map(hostPrefix).filter(wanted);
  const inMain = plan.scope === 'nodes' ? [...prefixes, ...addresses] : prefixes;
  const { table, podTable } = plan.routing;
  return {
    main: inMain.map((prefix) => deviceRoute(table, prefix, { device, ...sourceFor(plan, prefix) })),
    pods: plan.scope === 'nodes' ? [] : addresses.map((prefix) => deviceRoute(podTable, prefix, { device })),
  };
}

interface Way {
  readonly device: DeviceName;
  readonly source?: Address;
}

function deviceRoute(table: number, prefix: Prefix, way: Way): RouteEntry {
  return { table, prefix, action: { type: 'device', ...way } };
}

/** A host's own packets to a remote pod must come from the node's address, the one that the peer lets through and can answer. */
function sourceFor(plan: MeshPlan, prefix: Prefix): { readonly source?: Address } {
  const source = plan.ownAddresses.find((address) => familyOf(address) === familyOfPrefix(prefix));
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

/** Only for families that have a route: a rule that leads nowhere would cost every packet a look. */
function planRules(plan: MeshPlan, main: readonly RouteEntry[], pods: readonly RouteEntry[]): RuleEntry[] {
  const { table, rulePriority, podTable, podRulePriority, fwmark } = plan.routing;
  const podFamilies = familiesOf(pods);
  const from = plan.ownPrefixes
    .filter((prefix) => podFamilies.has(familyOfPrefix(prefix)))
    .map((prefix) => ({
      kind: 'from' as const,
      family: familyOfPrefix(prefix),
      priority: podRulePriority,
      table: podTable,
      from: prefix,
    }));
  const unmarked = [...familiesOf(main)]
    .sort()
    .map((family) => ({ kind: 'unmarked' as const, family, priority: rulePriority, table, ...fwmark }));
  return [...from, ...unmarked];
}

function familiesOf(routes: readonly RouteEntry[]): ReadonlySet<Family> {
  return new Set(routes.map(({ prefix }) => familyOfPrefix(prefix)));
}
