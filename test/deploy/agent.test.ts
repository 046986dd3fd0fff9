import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { parseAllDocuments } from 'yaml';
import { AGENT_LABELS, AGENT_PORT, NAMESPACE } from '../../cli/sources/deployment.ts';

const FILE = new URL('../../deploy/agent.yaml', import.meta.url);

/** Reads a value of parsed YAML by its path; undefined where there is none. */
function at(value: unknown, ...path: readonly (string | number)[]): unknown {
  return path.reduce<unknown>(
    (here, key) =>
      typeof here === 'object' && here !== null ? (here as Record<string | number, unknown>)[key] : undefined,
    value,
  );
}

describe('deploy/agent.yaml', () => {
  let documents: readonly unknown[];
  const kind = (name: string) => documents.find((document) => at(document, 'kind') === name);

  before(async () => {
    const parsed = parseAllDocuments(await readFile(FILE, 'utf8'), { strict: true, uniqueKeys: true });
    assert.ok(Array.isArray(parsed));
    assert.deepEqual(
      parsed.flatMap((document) => [...document.errors, ...document.warnings]),
      [],
    );
    documents = parsed.map((document) => document.toJS());
  });

  it('has all that an agent needs, each with what every object has', () => {
    assert.deepEqual(
      documents.map(
        (document) =>
          `${at(document, 'apiVersion')} ${at(document, 'kind')} ${at(document, 'metadata', 'name')}`,
      ),
      [
        'v1 Namespace sheath-system',
        'v1 ServiceAccount sheath-agent',
        'rbac.authorization.k8s.io/v1 ClusterRole sheath-agent',
        'rbac.authorization.k8s.io/v1 ClusterRoleBinding sheath-agent',
        'apps/v1 DaemonSet sheath-agent',
      ],
    );
  });

  it('puts everything that has a namespace into the one where the CLI looks', () => {
    for (const name of ['ServiceAccount', 'DaemonSet'])
      assert.equal(at(kind(name), 'metadata', 'namespace'), NAMESPACE);
    assert.equal(at(kind('Namespace'), 'metadata', 'name'), NAMESPACE);
    assert.equal(at(kind('ClusterRoleBinding'), 'subjects', 0, 'namespace'), NAMESPACE);
  });

  it('gives its pods the labels and the port by which the CLI finds them', () => {
    const pod = at(kind('DaemonSet'), 'spec', 'template');
    assert.deepEqual(at(pod, 'metadata', 'labels'), AGENT_LABELS);
    assert.deepEqual(at(kind('DaemonSet'), 'spec', 'selector', 'matchLabels'), AGENT_LABELS);
    assert.equal(at(pod, 'spec', 'containers', 0, 'ports', 0, 'containerPort'), AGENT_PORT);
  });

  it('lets the agent do no more than it must', () => {
    const container = at(kind('DaemonSet'), 'spec', 'template', 'spec', 'containers', 0);
    assert.deepEqual(at(container, 'securityContext', 'capabilities'), { drop: ['ALL'], add: ['NET_ADMIN'] });
    assert.equal(at(container, 'securityContext', 'privileged'), undefined);
    const rules = at(kind('ClusterRole'), 'rules');
    assert.ok(Array.isArray(rules));
    const verbs = rules.flatMap((rule) => at(rule, 'verbs'));
    assert.ok(!verbs.includes('*') && !verbs.includes('delete') && !verbs.includes('update'));
  });

  it('has every volume that is mounted', () => {
    const spec = at(kind('DaemonSet'), 'spec', 'template', 'spec');
    const names = (list: unknown) => (Array.isArray(list) ? list.map((item) => at(item, 'name')) : []);
    assert.deepEqual(names(at(spec, 'containers', 0, 'volumeMounts')), names(at(spec, 'volumes')));
  });
});
