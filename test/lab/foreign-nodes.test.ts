/** A lab in an API server that is somebody else's. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ApiServer } from '../../lab/api/server.ts';
import { apiTarget } from '../../lab/api-client.ts';
import { writeKubeconfig } from '../../lab/kubeconfig.ts';
import { createNode, deleteNode, listNodes } from '../../lab/node-objects.ts';
import { labFolder } from '../../lab/nodes/folder.ts';
import { labDown, labUp } from '../../lab/nodes/lab.ts';

const NAME = 'labforeign';

describe('a lab in an API server with Nodes of others', function () {
  this.timeout(60_000);
  let server: ApiServer;
  let folder: string;
  let kubeconfig: string;

  const nodes = async (): Promise<readonly string[]> =>
    (await listNodes(await apiTarget(kubeconfig))).map(({ metadata }) => metadata.name).sort();
  const create = async (name: string, lab?: string): Promise<void> => {
    const labels = lab === undefined ? {} : { 'sheath.dev/lab': lab };
    await createNode(await apiTarget(kubeconfig), { name, podCIDRs: [], addresses: [], labels });
  };
  const up = (options: Parameters<typeof labUp>[0] = {}) =>
    labUp({ name: NAME, nodes: 2, kubeconfig, withoutAgents: true, ...options });

  beforeEach(async () => {
    await labDown(NAME);
    server = new ApiServer();
    folder = await mkdtemp(join(tmpdir(), 'sheath-foreign-'));
    kubeconfig = join(folder, 'kubeconfig');
    await writeKubeconfig(kubeconfig, { server: await server.listen() });
  });
  afterEach(async () => {
    await labDown(NAME).catch(() => undefined);
    await server.close();
    await rm(folder, { recursive: true });
    await rm(`/tmp/sheath-lab-${NAME}-logs`, { recursive: true, force: true });
  });

  it('makes its own Nodes and takes back only these', async () => {
    await create('worker');
    await create('n3');
    await create('n1', NAME);
    await up();
    assert.deepEqual(await nodes(), ['n1', 'n2', 'n3', 'worker']);
    await deleteNode(await apiTarget(kubeconfig), 'n2');
    await create('n2');
    assert.equal(await labDown(NAME), true);
    assert.deepEqual(await nodes(), ['n2', 'n3', 'worker'], 'nor one that took the place of its own');
  });

  it('refuses a name that is taken, and touches nothing', async () => {
    await create('n2');
    await assert.rejects(up(), {
      code: 'LAB_NODE_TAKEN',
      message: /a Node n2 already.*leave --kubeconfig out/,
    });
    assert.deepEqual(await nodes(), ['n2']);
    assert.equal(existsSync(labFolder(NAME)), false);
    await deleteNode(await apiTarget(kubeconfig), 'n2');
    await create('n1', 'other');
    await assert.rejects(up(), { code: 'LAB_NODE_TAKEN', message: /sheath lab down --name other/ });
    assert.deepEqual(await nodes(), ['n1']);
  });

  it('cut short, it takes back what it made and leaves what came between', async () => {
    const stop = new AbortController();
    await create('worker');
    const built = (line: string): void => {
      if (line.startsWith('API')) stop.abort();
    };
    await assert.rejects(up({ signal: stop.signal, progress: built }));
    assert.deepEqual(await nodes(), ['worker']);
    const late = (line: string): void => {
      if (line.startsWith('network')) void create('n2');
    };
    await assert.rejects(up({ progress: late }), { code: 'LAB_NODE_TAKEN' });
    assert.deepEqual(await nodes(), ['n2', 'worker']);
  });

  it('says which Nodes are left when the API server is gone', async () => {
    await up();
    await server.close();
    await assert.rejects(labDown(NAME), {
      code: 'LAB_NODES_LEFT',
      message: /delete nodes -l sheath\.dev\/lab=labforeign$/,
    });
    assert.equal(existsSync(labFolder(NAME)), false);
  });
});
