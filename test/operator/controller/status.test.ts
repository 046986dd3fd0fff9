import assert from 'node:assert/strict';
import type { MeshStatus } from '../../../operator/config/resource.ts';
import type { Spec } from '../../../operator/config/schema.ts';
import { lost } from '../../../operator/controller/happenings.ts';
import { mesh, node } from './cluster.ts';
import { condition, MINUTE, NOW, Story, said, three, WIREGUARD } from './story.ts';

describe('the status of the mesh', () => {
  it('says that all is well', () => {
    const status = new Story().look(three([7]));
    assert.deepEqual(status.nodes, { total: 3, encrypted: 3, summary: '3/3', waiting: [] });
    assert.equal(status.generation, 7);
    assert.equal(status.observedGeneration, 3);
    assert.equal(status.rotation, undefined);
    assert.equal(status.lastRotationTime, '2026-06-01T12:00:00Z');
    for (const [type, expected] of [
      ['Ready', 'True AsSpecified'],
      ['Encrypted', 'True AllNodes'],
      ['Rotating', 'False Settled'],
      ['Degraded', 'False AsExpected'],
    ] as const)
      assert.equal(said(status, type), expected);
  });

  it('names each node that is not encrypted, and why', () => {
    const status = new Story().look([
      node('cannot', { agent: { cannot: ['wireguard: no kernel module, and no wireguard-go'] } }),
      node('clear', { held: [7], sending: [0, 7] }),
      node('empty', { agent: null }),
      node('fine', { held: [7] }),
      node('late'),
      node('windows', { agent: null, labels: { 'kubernetes.io/os': 'windows' } }),
    ]);
    assert.equal(status.nodes?.summary, '1/6');
    const reasons = Object.fromEntries(
      status.nodes?.waiting.map(({ node: name, reason }) => [name, reason]) ?? [],
    );
    assert.deepEqual(Object.keys(reasons), ['cannot', 'clear', 'empty', 'late', 'windows']);
    assert.match(reasons.cannot ?? '', /no kernel module/);
    assert.match(reasons.clear ?? '', /still sends in clear/);
    assert.match(reasons.empty ?? '', /no agent/);
    assert.match(reasons.late ?? '', /no key/);
    assert.match(reasons.windows ?? '', /windows/);
    assert.equal(said(status, 'Ready'), 'False NodesWaiting');
    assert.equal(said(status, 'Encrypted'), 'False SomeNodes');
    assert.equal(said(status, 'Degraded'), 'True NodesUnable');
    assert.match(condition(status, 'Degraded').message, /cannot: .*windows: /);
  });

  it('counts those that are selected, and names who is on its way out', () => {
    const spec: Spec = { ...WIREGUARD, nodeSelector: { matchLabels: { wave: '1' } } };
    const wave = { labels: { wave: '1' } };
    const story = new Story();
    const status = story.look(
      [node('in', { held: [7], ...wave }), node('left', { held: [7] }), node('out')],
      spec,
    );
    assert.equal(status.nodes?.summary, '1/1');
    assert.deepEqual(
      status.nodes?.waiting.map(({ node: name }) => name),
      ['left'],
    );
    assert.equal(said(status, 'Ready'), 'False NodesWaiting');
    assert.equal(
      said(story.look([node('in', { held: [7], ...wave }), node('out')], spec), 'Ready'),
      'True AsSpecified',
    );
    assert.equal(said(story.look([node('out')], spec), 'Ready'), 'False NoNodes');
  });

  it('follows a rotation through its phases, and says who holds it up', () => {
    const story = new Story();
    story.look(three([7]));
    const spec = { ...WIREGUARD, generation: 8 };
    const phases = [
      [node('n1', { held: [7, 8] }), node('n2', { held: [7] }), node('n3', { held: [7, 8] })],
      [
        node('n1', { held: [7, 8], sending: [8] }),
        node('n2', { held: [7, 8] }),
        node('n3', { held: [7, 8] }),
      ],
      [node('n1', { held: [8] }), node('n2', { held: [7, 8], sending: [8] }), node('n3', { held: [8] })],
    ].map((nodes) => story.look(nodes, spec));
    assert.deepEqual(
      phases.map(({ rotation, ...rest }) => [
        rotation?.from,
        rotation?.to,
        rotation?.published,
        rotation?.switched,
        rotation?.withdrawn,
        rotation?.waiting[0]?.node,
        condition({ rotation, ...rest } as MeshStatus, 'Rotating').reason,
      ]),
      [
        [7, 8, 2, 0, 0, 'n2', 'Publishing'],
        [7, 8, 3, 1, 0, 'n2', 'Switching'],
        [7, 8, 3, 3, 2, 'n2', 'Withdrawing'],
      ],
    );
    assert.equal(new Set(phases.map(({ rotation }) => rotation?.startedAt)).size, 1);
    const end = story.look(three([8]), spec);
    assert.equal(end.rotation, undefined);
    assert.equal(end.generation, 8);
    assert.equal(end.lastRotationTime, '2026-06-01T12:00:04Z');
    assert.deepEqual(story.reasons, [
      'default Encrypted',
      'default RotationStarted',
      'default RotationCompleted',
    ]);
    assert.equal(story.look(three([8]), spec).lastRotationTime, end.lastRotationTime);
  });

  it('asks a person to look when a rotation is held up, and goes on without those passed over', () => {
    const story = new Story();
    const spec = { ...WIREGUARD, generation: 8 };
    const nodes = [node('dead', { held: [7] }), node('n1', { held: [7, 8], sending: [8] })];
    assert.equal(said(story.look(nodes, spec), 'Degraded'), 'False AsExpected');
    story.now += 14 * MINUTE;
    const late = story.look(nodes, spec);
    assert.equal(said(late, 'Degraded'), 'True RotationHeldUp');
    assert.match(condition(late, 'Degraded').message, /dead: .*--pass-over dead/);
    assert.deepEqual(story.reasons.slice(-3), [
      'default RotationHeldUp',
      'dead RotationHeldUp',
      'n1 RotationHeldUp',
    ]);
    const count = story.reasons.length;
    story.look(nodes, spec);
    assert.equal(story.reasons.length, count, 'said once');
    const passed = story.look([node('dead', { held: [7] }), node('n1', { held: [8] })], {
      ...spec,
      rotation: { passOver: ['dead'] },
    });
    assert.equal(passed.rotation, undefined);
    assert.equal(passed.generation, 8);
    assert.equal(said(passed, 'Degraded'), 'False AsExpected');
  });

  it('says how far it is switched off, and when it is being deleted', () => {
    const story = new Story();
    story.look(three([7]));
    const off: Spec = { encryption: 'none' };
    const shut = node('n1', { agent: { mode: 'strict' } });
    const half = story.look([shut, node('n2', { held: [7], sending: [0, 7] }), node('n3')], off);
    assert.equal(said(half, 'Ready'), 'False Disabling');
    assert.equal(half.nodes?.summary, '1/3');
    assert.deepEqual(
      half.nodes?.waiting.map(({ node: name }) => name),
      ['n1', 'n2'],
    );
    assert.equal(half.lastRotationTime, undefined);
    const done = story.look([node('n1'), node('n2'), node('n3')], off);
    assert.equal(said(done, 'Ready'), 'True Disabled');
    assert.equal(said(done, 'Encrypted'), 'False Disabled');
    assert.equal(said(done, 'Degraded'), 'False AsExpected');
    const deleting = story.look([shut], WIREGUARD, { deletionTimestamp: '2026-06-01T12:00:00Z' });
    assert.equal(said(deleting, 'Ready'), 'False Deleting');
    assert.match(condition(deleting, 'Ready').message, /n1: its door is still shut/);
  });

  it('says that doors are not as wished', () => {
    const strict: Spec = { ...WIREGUARD, mode: 'strict' };
    const open = node('n1', { held: [7], agent: { mode: 'permissive' } });
    const shut = node('n2', { held: [7], agent: { mode: 'strict' } });
    assert.equal(said(new Story().look([open, shut], strict), 'Ready'), 'False DoorsOpen');
    assert.equal(said(new Story().look([shut], strict), 'Ready'), 'True AsSpecified');
    assert.equal(said(new Story().look([open, shut], WIREGUARD), 'Ready'), 'False DoorsShut');
  });

  it('keeps the time of a transition as long as the status stays', () => {
    const story = new Story();
    const first = story.look([node('n1', { held: [7] }), node('n2')]);
    const second = story.look([node('n1', { held: [7] }), node('n2', { held: [7], sending: [0, 7] })]);
    assert.notEqual(condition(first, 'Ready').message, condition(second, 'Ready').message);
    assert.equal(condition(first, 'Ready').lastTransitionTime, condition(second, 'Ready').lastTransitionTime);
    const third = story.look([node('n1', { held: [7] }), node('n2', { held: [7] })]);
    assert.notEqual(
      condition(first, 'Ready').lastTransitionTime,
      condition(third, 'Ready').lastTransitionTime,
    );
  });

  it('says the same again where nothing changed, at any time', () => {
    const story = new Story();
    const first = story.look(three([7]));
    story.now += 24 * 60 * MINUTE;
    assert.deepEqual(story.look(three([7])), first);
  });

  it('asks a person to look after nodes that nothing happens to', () => {
    const story = new Story();
    const nodes = [node('n1', { held: [7] }), node('n2', { agent: null })];
    assert.equal(said(story.look(nodes), 'Degraded'), 'False AsExpected');
    story.now += 11 * MINUTE;
    assert.equal(said(story.look(nodes), 'Degraded'), 'True NodesWaiting');
  });

  it('leaves what it said of the nodes where the spec is invalid', () => {
    const story = new Story();
    const before = story.look(three([7]));
    const after = story.look(three([7]), { encryption: 'rot13' } as unknown as Spec, { generation: 4 });
    assert.deepEqual(after.nodes, before.nodes);
    assert.equal(after.observedGeneration, 4);
    assert.equal(said(after, 'Ready'), 'False InvalidSpec');
    assert.match(condition(after, 'Ready').message, /spec\.encryption/);
    assert.equal(said(after, 'Encrypted'), 'Unknown InvalidSpec');
    assert.equal(said(after, 'Degraded'), 'True InvalidSpec');
  });

  it('does not believe in a rotation that is still to come', () => {
    const story = new Story();
    story.now += 366 * 24 * 60 * MINUTE;
    story.look(three([7]));
    story.now = NOW;
    assert.equal(story.look(three([7])).lastRotationTime, '2026-06-01T12:00:00Z');
  });

  it('takes no node’s word for a generation, and names who has one for itself', () => {
    const liar = (held: readonly number[]) => node('liar', { held });
    const spec: Spec = { ...WIREGUARD, rotation: { interval: '720h' } };
    for (const held of [[7, 99], [99], [2147483647]]) {
      const status = new Story().look([...three([7]), liar(held)], spec);
      assert.equal(said(status, 'Degraded'), 'True NodesAhead');
      assert.match(
        condition(status, 'Degraded').message,
        new RegExp(`^liar: holds generation ${held.at(-1)},`),
      );
      const passed = { ...spec, rotation: { ...spec.rotation, passOver: ['liar'] } };
      assert.equal(
        said(new Story().look([...three([7]), liar(held)], passed), 'Degraded'),
        'False AsExpected',
      );
    }
    assert.equal(
      said(new Story().look([node('n1', { held: [7] }), liar([99])], spec), 'Degraded'),
      'True NodesAhead',
    );
    assert.equal(said(new Story().look(three([9]), spec), 'Degraded'), 'True GenerationBehind');
    const begun = { ...spec, generation: 8 };
    assert.equal(
      said(new Story().look([...three([7]), node('n4', { held: [7, 8] })], begun), 'Degraded'),
      'False AsExpected',
    );
  });

  it('names few of many', () => {
    const many = Array.from({ length: 5000 }, (_, i) => node(`n${i}`));
    const status = new Story().look(many);
    assert.equal(status.nodes?.waiting.length, 20);
    assert.equal(status.nodes?.summary, '0/5000');
    for (const { message } of status.conditions ?? []) assert.ok(message.length <= 1024);
    assert.match(condition(status, 'Ready').message, /and 4997 more$/);
  });

  it('tells of nodes that were encrypted and are no longer', () => {
    const nodes = [node('n1', { held: [7] }), node('n2', { agent: null }), node('n3')];
    const before = new Set(['n1', 'n2', 'gone']);
    const told = lost({ mesh: mesh(WIREGUARD), nodes }, before);
    assert.deepEqual(
      told.map(({ about, reason }) => [about.name, reason]),
      [['n2', 'NotEncrypted']],
    );
    assert.deepEqual(lost({ mesh: mesh({ encryption: 'none' }), nodes }, before), []);
  });
});
