/** The controller's metrics: whether it leads, what it wrote, and what it says of the mesh. */
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { MeshStatus } from '../config/resource.ts';
import type { ControllerCounters } from './controller.ts';

export interface ControllerView {
  readonly version: string;
  readonly leading: boolean;
  readonly status: MeshStatus | undefined;
}

export interface ControllerMetrics extends ControllerCounters {
  scrape(): Promise<{ readonly type: string; readonly body: string }>;
}

export function createControllerMetrics(view: () => ControllerView): ControllerMetrics {
  const registry = new Registry();
  const registers = [registry];
  const turns = new Histogram({
    name: 'sheath_controller_turn_duration_seconds',
    help: 'Time of one look at all nodes, with what it wrote',
    buckets: [0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers,
  });
  const writes = new Counter({
    name: 'sheath_controller_writes_total',
    help: 'Writes to the EncryptionMesh, by what was written',
    labelNames: ['what'],
    registers,
  });
  const errors = new Counter({
    name: 'sheath_controller_errors_total',
    help: 'Errors by the part that failed and their code',
    labelNames: ['part', 'code'],
    registers,
  });
  const gauges = createGauges(registers);
  return {
    turn: (seconds) => turns.observe(seconds),
    write: (what) => writes.inc({ what }),
    error: (part, code) => errors.inc({ part, code }),
    async scrape() {
      for (const gauge of Object.values(gauges)) gauge.reset();
      fill(gauges, view());
      return { type: registry.contentType, body: await registry.metrics() };
    },
  };
}

type Gauges = ReturnType<typeof createGauges>;

function createGauges(registers: Registry[]) {
  const gauge = <Label extends string>(name: string, help: string, labelNames: readonly Label[] = []) =>
    new Gauge<Label>({ name, help, labelNames: [...labelNames], registers });
  return {
    build: gauge('sheath_build_info', '1, with the version of the program', ['version']),
    leader: gauge('sheath_controller_leader', '1 while this process leads'),
    nodes: gauge('sheath_mesh_nodes', 'Nodes that take part, encrypted and waited for; said by the leader', [
      'state',
    ]),
    generation: gauge('sheath_mesh_generation', 'The newest generation that all encrypted nodes send on'),
    driver: gauge('sheath_mesh_driver_info', 'What that generation is made with', ['driver']),
    rotation: gauge('sheath_mesh_rotation_nodes', 'Nodes of the rotation under way, by what they did', [
      'step',
    ]),
    condition: gauge('sheath_mesh_condition', '1 for the status that a condition has', ['type', 'status']),
  };
}

function fill(gauges: Gauges, { version, leading, status }: ControllerView): void {
  gauges.build.set({ version }, 1);
  gauges.leader.set(leading ? 1 : 0);
  if (status === undefined) return;
  const { nodes, rotation, generation, driver } = status;
  if (nodes !== undefined) {
    gauges.nodes.set({ state: 'encrypted' }, nodes.encrypted);
    gauges.nodes.set({ state: 'waiting' }, nodes.total - nodes.encrypted);
  }
  if (generation !== undefined) gauges.generation.set(generation);
  if (driver !== undefined) gauges.driver.set({ driver }, 1);
  if (rotation !== undefined)
    for (const step of ['total', 'published', 'switched', 'withdrawn'] as const)
      gauges.rotation.set({ step }, rotation[step]);
  for (const condition of status.conditions ?? [])
    gauges.condition.set({ type: condition.type, status: condition.status }, 1);
}
