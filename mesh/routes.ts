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
  const setting = settingOf(plan);
  const main: RouteEntry[] = [];
  const pods: RouteEntry[] = [];
  for (const peer of plan.peers) {
    const device = deviceOf(peer, statuses.get(peer.node));
    if (device === undefined) continue;
    const entries = peerRoutes(setting, peer, device);
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

/** What the routes of every peer rest on. */
interface Setting {
  readonly plan: MeshPlan;
  readonly exempt: readonly Range[];
  /** Equal for settings that give equal routes. */
  readonly key: string;
}

function settingOf(plan: MeshPlan): Setting {
  const { table, podTable } = plan.routing;
  const key = [plan.scope, table, podTable, ...plan.ownAddresses, 'exempt', ...plan.exempt].join(' ');
  return { plan, exempt: plan.exempt.map(rangeOf), key };
}

interface Made {
  readonly key: string;
  readonly device: DeviceName;
  readonly routes: PeerRoutes;
}

const made = new WeakMap<PeerPlan, Made>();

/** The same objects as before while peer, device and setting stay. */
function peerRoutes(setting: Setting, peer: PeerPlan, device: DeviceName): PeerRoutes {
  const known = made.get(peer);
  if (known?.device === device && known.key === setting.key) return known.routes;
  const routes = makeRoutes(setting, peer, device);
  made.set(peer, { key: setting.key, device, routes });
  return routes;
}

function makeRoutes({ plan, exempt }: Setting, peer: PeerPlan, device: DeviceName): PeerRoutes {
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
  const from = plan.ownPrefixes
    .filter((prefix) => hasFamily(pods, familyOfPrefix(prefix)))
    .map((prefix) => ({
      kind: 'from' as const,
      family: familyOfPrefix(prefix),
      priority: podRulePriority,
      table: podTable,
      from: prefix,
    }));
  const unmarked = ([4, 6] as const)
    .filter((family) => hasFamily(main, family))
    .map((family) => ({ kind: 'unmarked' as const, family, priority: rulePriority, table, ...fwmark }));
  return [...from, ...unmarked];
}

function hasFamily(routes: readonly RouteEntry[], family: Family): boolean {
  return routes.some(({ prefix }) => familyOfPrefix(prefix) === family);
}
