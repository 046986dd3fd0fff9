/** A dataplane of ours with a charon of its own, and what is wanted of it: all peers are routed, as they are once they answered. */
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { plan } from '../../mesh/plan.ts';
import { planRoutes } from '../../mesh/routes.ts';
import type { Evidence, MeshPlan, NodeRecord, RoutePlan } from '../../mesh/types.ts';
import { createDataplane } from '../../tunnels/create.ts';
import type { Dataplane, DesiredState } from '../../tunnels/dataplane.ts';
import { SELF } from '../cluster.ts';
import { established } from '../mesh.ts';
import { ipsecConfig, ipsecPrivateKey } from './cluster.ts';

const noEvidence: Evidence = { nodes: new Map(), keyHolders: new Map(), endpointHolders: new Map() };

export interface Wanted {
  readonly plan: MeshPlan;
  readonly routes: RoutePlan;
}

export function ipsecWanted(self: NodeRecord, others: readonly NodeRecord[]): Wanted {
  const meshPlan = plan({ self, records: others, config: ipsecConfig, evidence: noEvidence });
  const [refused] = meshPlan.refused;
  if (refused !== undefined) throw new Error(`refused: ${JSON.stringify(refused)}`);
  return { plan: meshPlan, routes: planRoutes(meshPlan, established(others.map(({ name }) => name))) };
}

export class IpsecMesh {
  readonly #folder = mkdtempSync(path.join(tmpdir(), 'sheath-bench-ipsec-'));
  #dataplane: Dataplane | undefined;

  /** A second call is what a restarted agent does. */
  async open(): Promise<Dataplane> {
    this.#dataplane = await createDataplane({
      stateDir: this.#folder,
      userspace: 'never',
      ipsec: { folder: path.join(this.#folder, 'ipsec') },
    });
    return this.#dataplane;
  }

  async set(wanted: Wanted): Promise<number> {
    const desired: DesiredState = { ...wanted, privateKey: () => ipsecPrivateKey(SELF) };
    const report = await this.#dataplane?.set(desired);
    const [error] = report?.errors ?? [];
    if (error !== undefined) throw new Error(`${report?.errors.length} errors, the first: ${error.message}`);
    return report?.changes.length ?? 0;
  }

  get charonPid(): number {
    return Number.parseInt(readFileSync(path.join(this.#folder, 'ipsec/charon.pid'), 'utf8'), 10);
  }

  async close(): Promise<void> {
    await this.#dataplane?.close();
  }
}
