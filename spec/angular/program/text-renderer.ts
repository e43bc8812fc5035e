import { Renderer2, type RendererFactory2 } from '@angular/core';

/** A node of a page that has nothing but text. */
export class TextNode {
  parent: TextNode | null = null;
  readonly children: TextNode[] = [];
  text: string;

  constructor(text = '') {
    this.text = text;
  }

  /** What somebody would read. */
  get content(): string {
    return this.text + this.children.map(({ content }) => content).join('');
  }
}

/** Renders where there is no document: what a component shows, as text. */
export class TextRenderer extends Renderer2 implements RendererFactory2 {
  readonly data = {};
  readonly createElement = (): TextNode => new TextNode();
  readonly createComment = (): TextNode => new TextNode();
  readonly createText = (text: string): TextNode => new TextNode(text);
  readonly selectRootElement = (host: string | TextNode): TextNode => (host instanceof TextNode ? host : new TextNode());
  readonly parentNode = ({ parent }: TextNode): TextNode | null => parent;
  readonly nextSibling = (node: TextNode): TextNode | null => node.parent?.children[node.parent.children.indexOf(node) + 1] ?? null;

  createRenderer(): Renderer2 {
    return this;
  }

  appendChild(parent: TextNode, child: TextNode): void {
    this.insertBefore(parent, child, null);
  }

  insertBefore(parent: TextNode, child: TextNode, before: TextNode | null): void {
    const place = before === null ? -1 : parent.children.indexOf(before);
    parent.children.splice(place === -1 ? parent.children.length : place, 0, child);
    child.parent = parent;
  }

  removeChild(_parent: TextNode | null, child: TextNode): void {
    child.parent?.children.splice(child.parent.children.indexOf(child), 1);
    child.parent = null;
  }

  setValue(node: TextNode, text: string): void {
    node.text = text;
  }

  listen(): () => void {
    return () => undefined;
  }

  // Nothing of this is text.
  readonly destroy = (): void => undefined;
  readonly setAttribute = (): void => undefined;
  readonly removeAttribute = (): void => undefined;
  readonly addClass = (): void => undefined;
  readonly removeClass = (): void => undefined;
  readonly setStyle = (): void => undefined;
  readonly removeStyle = (): void => undefined;
  readonly setProperty = (): void => undefined;
}
