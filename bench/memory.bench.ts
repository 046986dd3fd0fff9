// kernel bench
/** What an agent holds in memory in a mesh of 5000. */
import { apiTarget } from '../lab/api-client.ts';
import { startKubeApiserver } from '../test/support/kube-apiserver.ts';
import { AgentProcess, restingMemory } from './agent-process.ts';
import { createNodes } from './api.ts';
import { SELF } from './cluster.ts';
import { addUnderlay } from './machine.ts';
import { row } from './rows.ts';

const COUNT = 5000;
const STEP = 500;

addUnderlay();
const api = await startKubeApiserver({ patience: 300_000 });
try {
  const target = await apiTarget(api.kubeconfigPath);
  for (let first = SELF; first < SELF + 1 + COUNT; first += STEP) {
    const began = performance.now();
    await createNodes(target, first, Math.min(first + STEP, SELF + 1 + COUNT));
    console.error(`Nodes to ${first + STEP}: ${Math.round(performance.now() - began)} ms`);
  }
  const agent = new AgentProcess(api.kubeconfigPath);
  await agent.untilPeers(COUNT, 500);
  const value = (performance.now() - agent.began) / 1000;
  row({ what: 'agent: start to all peers programmed', where: `${COUNT} nodes`, value, unit: 's' });
  await restingMemory(agent, COUNT);
  await agent.stop();
} finally {
  await api.stop();
}
process.exit();
