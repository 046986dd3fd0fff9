import assert from 'node:assert/strict';
import { type ApiAnswer, send } from '../../lab/api-client.ts';
import { FINALIZER } from '../../operator/config/resource.ts';
import { MESH_PATH, messageOf, patch, useCluster } from './cluster.ts';

const AGENTS = '/apis/apps/v1/namespaces/sheath-system/daemonsets';
const ROLES = '/apis/rbac.authorization.k8s.io/v1/clusterroles';

describe('what is kept while nodes are encrypted, as a real API server sees it', function () {
  this.timeout(60_000);
  const cluster = useCluster();

  const wouldDelete = (path: string): Promise<ApiAnswer> =>
    send(cluster.current.admin, {
      method: 'DELETE',
      path: `${path}${path.includes('?') ? '&' : '?'}dryRun=All`,
    });
  const hold = async (finalizers: readonly string[]): Promise<void> => {
    const answer = await patch(cluster.current.admin, MESH_PATH, { metadata: { finalizers } });
    assert.equal(answer.status, 200, messageOf(answer));
  };

  before(async () => {
    await cluster.current.install({
      encryption: 'wireguard',
      mode: 'strict',
      clusterPrefixes: ['10.244.0.0/16'],
    });
    await hold([FINALIZER]);
    await cluster.current.until(async () => (await wouldDelete(`${AGENTS}/sheath-agent`)).status === 403);
  });

  for (const path of [
    `${AGENTS}/sheath-agent`,
    AGENTS,
    `${ROLES}/sheath-agent`,
    `${ROLES}?labelSelector=!kubernetes.io/bootstrapping`,
    '/apis/apps/v1/namespaces/sheath-system/deployments',
    '/api/v1/namespaces/sheath-system/serviceaccounts',
    '/api/v1/namespaces/sheath-system',
  ])
    it(`${path}`, async () => {
      const answer = await wouldDelete(path);
      assert.equal(answer.status, 403, messageOf(answer));
      assert.match(messageOf(answer), /sheath uninstall/);
    });

  it('and nothing else', async () => {
    for (const path of ['/apis/apps/v1/namespaces/default/daemonsets', `${ROLES}/edit`])
      assert.equal((await wouldDelete(path)).status, 200, path);
  });

  it('nor anything when nobody needs it', async () => {
    await hold([]);
    await cluster.current.until(async () => (await wouldDelete(AGENTS)).status === 200);
  });
});
