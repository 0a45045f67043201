// Small helpers over the DOM. Text always goes in as text, never as markup.

export const find = (selector, root = document) => root.querySelector(selector);
export const findAll = (selector, root = document) => [...root.querySelectorAll(selector)];

/** An element with attributes and children; `null` and `false` leave an attribute or child out. */
export function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "class") node.className = value;
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

const SVG = "http://www.w3.org/2000/svg";

export function svg(tag, attributes = {}, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

/** A copy of the single element inside `<template id=...>`. */
export function fromTemplate(id) {
  return document.getElementById(id).content.firstElementChild.cloneNode(true);
}

/** Sets text only when it differs, so that an unchanged page causes no work and no announcement. */
/** "1 picture", "2,000 pictures". */
export const many = (count, word, more = `${word}s`) => `${count.toLocaleString("en")} ${count === 1 ? word : more}`;

export function setText(node, text) {
  if (node && node.textContent !== String(text)) node.textContent = text;
}

/** `control` is off and its title says why; with an empty `why` it is on. */
export function refuse(control, why) {
  control.disabled = Boolean(why);
  control.title = why;
}

/** The JSON that the server put into the page with `json_script` as `<id>-data`, or null. */
export function pageData(id) {
  const node = document.getElementById(`${id}-data`);
  return node ? JSON.parse(node.textContent) : null;
}

/** The rights of the person at this page in its organisation. */
export function may(right) {
  return document.body.dataset.rights.split(" ").includes(right);
}

/** Whether typing belongs to a field, so that single-key shortcuts must stay out of the way. */
export function isTyping(target) {
  return Boolean(target.closest?.("input, textarea, select, [contenteditable=true]"));
}
