/** What tests need to put Nodes into an API: `createNode(await apiTarget(kubeconfigPath), {...})`. */
export { apiTarget } from '../../lab/api-client.ts';
export {
  annotateNode,
  createNode,
  deleteNode,
  getNode,
  listNodes,
  type NodeObject,
  type NodeSpec,
} from '../../lab/node-objects.ts';
