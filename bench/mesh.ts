/** The way from records to the kernel without an agent: every peer counts as established, for nobody answers here. */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { PrivateKey } from 'wireguard-tools-wrapper';
import { plan } from '../mesh/plan.ts';
import { planRoutes } from '../mesh/routes.ts';
import type { Evidence, MeshPlan, NodeRecord, PeerStatus, RoutePlan } from '../mesh/types.ts';
import { createDataplane } from '../tunnels/create.ts';
import type { Dataplane, DesiredState } from '../tunnels/dataplane.ts';
import { config } from './cluster.ts';

export const privateKey = PrivateKey.generate();

const noEvidence: Evidence = { nodes: new Map(), keyHolders: new Map(), endpointHolders: new Map() };

export function established(names: readonly string[]): ReadonlyMap<string, PeerStatus> {
  return new Map(
    names.map((node) => [
      node,
      {
        node,
        state: 'established',
        since: 0,
        generation: 1,
        driver: 'wireguard',
        receivedBytes: 0,
        sentBytes: 0,
      },
    ]),
  );
}

export interface Wanted {
  readonly plan: MeshPlan;
  readonly routes: RoutePlan;
}

export function wanted(
  self: NodeRecord,
  others: readonly NodeRecord[],
  statuses: ReadonlyMap<string, PeerStatus>,
): Wanted {
  const meshPlan = plan({ self, records: others, config, evidence: noEvidence });
  if (meshPlan.refused.length > 0) throw new Error(`refused: ${JSON.stringify(meshPlan.refused[0])}`);
  return { plan: meshPlan, routes: planRoutes(meshPlan, statuses) };
}

export function desired({ plan: meshPlan, routes }: Wanted): DesiredState {
  return { plan: meshPlan, routes, privateKey: () => privateKey };
}

export function openDataplane(): Promise<Dataplane> {
  return createDataplane({ stateDir: mkdtempSync(path.join(tmpdir(), 'sheath-bench-')), userspace: 'never' });
}

/** `set`, and an error where one item failed. Returns how many writes it took. */
export async function setAll(dataplane: Dataplane, mesh: Wanted): Promise<number> {
  const { errors, changes } = await dataplane.set(desired(mesh));
  if (errors.length > 0) throw new Error(`${errors.length} errors, the first: ${errors[0]?.message}`);
  return changes.length;
}
