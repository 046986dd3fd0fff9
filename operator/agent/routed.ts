/** Whose routes are in the kernel now, from what was wanted of it and what it refused. */
import { hostPrefix } from '../../mesh/prefix.ts';
import type { DeviceName, MeshPlan, Prefix, RoutePlan } from '../../mesh/types.ts';
import type { Report } from '../../tunnels/dataplane.ts';

/**
 * Peers all of whose prefixes have a route, and the generation that it leads to; but for those whose failed, and nobody, when what
 * leads to all routes failed.
 */
export function routedNodes(
  { plan, routes }: { plan: MeshPlan; routes: RoutePlan },
  report: Report,
): ReadonlyMap<string, number> {
  const failed = report.errors.filter((error) => error.part === 'route' || error.part === 'rule');
  if (failed.some((error) => error.node === undefined)) return new Map();
  const without = new Set(failed.map((error) => error.node));
  const through = new Map<Prefix, DeviceName>();
  for (const { action, prefix } of routes.routes)
    if (action.type === 'device') through.set(prefix, action.device);
  const routed = new Map<string, number>();
  for (const { node, links, prefixes, addresses } of plan.peers) {
    if (without.has(node) || !prefixes.every((prefix) => through.has(prefix))) continue;
    const [first = addresses.map(hostPrefix)[0]] = prefixes;
    const device = first === undefined ? undefined : through.get(first);
    const link = links.find((one) => one.device === device) ?? links.at(-1);
    if (link !== undefined) routed.set(node, link.generation);
  }
  return routed;
}
