import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { forgetWishes } from '../../../operator/agent/forget.ts';
import { loadResource, saveResource } from '../../../operator/resource/kept.ts';

describe('what a node was told', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sheath-forget-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  it('is kept, and forgotten after a cleanup, with what it promised; its keys stay', async () => {
    const wish = { metadata: { name: 'default' }, spec: { mode: 'strict' } };
    await saveResource(folder, wish);
    assert.deepEqual(await loadResource(folder, assert.fail), wish);
    await mkdir(join(folder, 'keys'));
    await writeFile(join(folder, 'stance.json'), '{}');
    await forgetWishes(folder);
    assert.deepEqual(await readdir(folder), ['keys']);
    assert.equal(await loadResource(folder, assert.fail), undefined);
    await forgetWishes(folder);
  });

  it('that is damaged is dropped and told of', async () => {
    await writeFile(join(folder, 'resource.json'), '{"half');
    const damaged: string[] = [];
    assert.equal(await loadResource(folder, (path) => damaged.push(path)), undefined);
    assert.deepEqual(damaged, [join(folder, 'resource.json')]);
  });

  it('that cannot be read stops the start', async () => {
    await mkdir(join(folder, 'resource.json'));
    await assert.rejects(loadResource(folder, assert.fail), { code: 'STATE_DIR_UNREADABLE' });
  });
});
