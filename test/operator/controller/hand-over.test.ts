import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { call, send } from '../../../lab/api-client.ts';
import { LEASE_TIMES } from '../../../operator/kube/lease.ts';
import { ask } from '../agents.ts';
import { APIS, type Api, eventually } from './lab.ts';

const PROGRAM = join(import.meta.dirname, '../../../cli/sheath.ts');
const LEASE = '/apis/coordination.k8s.io/v1/namespaces/sheath-system/leases/sheath-controller';
/** Milliseconds for the API server, the processes and how often we look. */
const SLACK = 1_500;

for (const [name, startApi] of Object.entries(APIS)) {
  describe(`sheath controller as a process, at ${name}`, function () {
    this.timeout(120_000);
    let api: Api;
    const children: ChildProcess[] = [];
    before(async function () {
      this.timeout(180_000);
      api = await startApi();
    });
    after(() => api?.stop());
    afterEach(() => {
      for (const child of children.splice(0)) child.kill('SIGKILL');
    });

    const start = (identity: string, http = 'none') => {
      const options = ['--kubeconfig', api.kubeconfig, '--identity', identity, '--http', http];
      const node = ['--conditions=source', '--disable-warning=ExperimentalWarning', PROGRAM];
      const child = spawn(process.execPath, [...node, 'controller', ...options], {
        stdio: ['ignore', 'ignore', 'inherit'],
      });
      children.push(child);
      return child;
    };
    const lease = async () => {
      const answer = await send(api.target, { path: LEASE });
      const { spec } = JSON.parse(answer.bytes.toString()) as { spec?: { holderIdentity?: string } };
      return spec?.holderIdentity ?? '';
    };
    const led = async (by: string) => {
      const began = performance.now();
      await eventually(`led by ${by}`, lease, (holder) => holder.startsWith(`${by}_`));
      return performance.now() - began;
    };

    it('is replaced within the time of the lease when it is killed, at once when it is told to end', async () => {
      const first = start('first');
      await led('first');
      start('second');
      await new Promise((resolve) => setTimeout(resolve, 5_000));
      first.kill('SIGKILL');
      const took = await led('second');
      assert.ok(took <= LEASE_TIMES.duration + SLACK, `${took} ms`);
      assert.ok(
        took >= LEASE_TIMES.deadline,
        `${took} ms: the first one may still have believed that it led`,
      );
      start('third');
      await new Promise((resolve) => setTimeout(resolve, 3_000));
      children[1]?.kill('SIGTERM');
      const [code] = (await once(children[1] as ChildProcess, 'exit')) as [number];
      assert.equal(code, 0);
      const released = await led('third');
      assert.ok(released <= LEASE_TIMES.retry * 1.2 + SLACK, `${released} ms`);
      await call(api.target, { method: 'DELETE', path: LEASE });
    });

    it('answers probes and scrapers', async () => {
      const port = 20_000 + (process.pid % 10_000);
      start('probed', `127.0.0.1:${port}`);
      const get = (path: string) => ask({ port }, path).catch(() => ({ status: 0, body: '' }));
      await eventually(
        'ready',
        () => get('/readyz'),
        ({ status }) => status === 200,
      );
      assert.equal((await get('/healthz')).status, 200);
      const leads = ({ body }: { body: string }) => /^sheath_controller_leader 1$/m.test(body);
      await eventually('leads', () => get('/metrics'), leads);
      assert.equal((await get('/status')).status, 404);
    });
  });
}
