import assert from 'node:assert/strict';
import type { Spec } from '../../../operator/config/schema.ts';
import { node } from './cluster.ts';
import { condition, MINUTE, Story, said, three, WIREGUARD } from './story.ts';

describe('the status of a mesh on the way to another driver', () => {
  const spec: Spec = { encryption: 'ipsec', generation: 8 };
  const moving = { held: [7, 8], ipsec: [8] };
  const cannot = node('n3', { held: [7], agent: { cannot: ['ipsec: no charon; install strongSwan'] } });

  it('says from which to which, and which is in force', () => {
    const story = new Story();
    assert.equal(story.look(three([7])).driver, 'wireguard');
    const nodes = [node('n1', moving), node('n2', { held: [7] }), node('n3', { held: [7] })];
    const status = story.look(nodes, spec);
    assert.deepEqual([status.generation, status.driver], [7, 'wireguard']);
    assert.deepEqual([status.rotation?.fromDriver, status.rotation?.toDriver], ['wireguard', 'ipsec']);
    assert.match(
      condition(status, 'Rotating').message,
      /^from generation 7 \(wireguard\) to 8 \(ipsec\): 1 of 3/,
    );
    const end = story.look(
      ['n1', 'n2', 'n3'].map((name) => node(name, { held: [8], ipsec: [8] })),
      spec,
    );
    assert.deepEqual([end.generation, end.driver, end.rotation], [8, 'ipsec', undefined]);
    assert.match(condition(end, 'Encrypted').message, /, by ipsec$/);
  });

  it('names who cannot and stays, as long as that is so', () => {
    const story = new Story();
    story.look(three([7]));
    const nodes = [node('n1', moving), node('n2', moving), cannot];
    const status = story.look(nodes, spec);
    assert.deepEqual(
      (['Ready', 'Encrypted', 'Rotating', 'Degraded'] as const).map((type) => said(status, type)),
      ['False NodesUnable', 'True AllNodes', 'True Partial', 'True NodesUnable'],
    );
    const who = /n3: cannot do ipsec: no charon; install strongSwan; it stays on generation 7 \(wireguard\)/;
    for (const { message } of status.conditions ?? []) assert.match(message, who);
    assert.equal(status.driver, 'wireguard');
    assert.deepEqual(
      status.rotation?.waiting.map(({ node: name }) => name),
      ['n3'],
    );
    story.now += 60 * MINUTE;
    assert.equal(said(story.look(nodes, spec), 'Degraded'), 'True NodesUnable');
  });
});

describe('Degraded', () => {
  it('reminds of a node that is well again and still passed over', () => {
    const spec: Spec = { ...WIREGUARD, rotation: { passOver: ['n3'] } };
    const with3 = (options: Parameters<typeof node>[1]) =>
      said(
        new Story().look([node('n1', { held: [7] }), node('n2', { held: [7] }), node('n3', options)], spec),
        'Degraded',
      );
    const follows = { agent: { observedGeneration: 3 } };
    assert.equal(with3({ held: [7], ...follows }), 'True NodesPassedOver');
    assert.equal(with3({ held: [7], agent: { observedGeneration: 2 } }), 'False AsExpected');
    assert.equal(with3({ held: [6], ...follows }), 'False AsExpected');
    assert.equal(with3({ held: [7], sending: [0, 7], ...follows }), 'False AsExpected');
  });
});
