import { type DefaultTreeAdapterTypes, parse } from 'parse5'

type Element = DefaultTreeAdapterTypes.Element
type Node = DefaultTreeAdapterTypes.Node

export interface Button {
  readonly name: string | undefined
  readonly value: string
  readonly label: string
  readonly action: string | undefined
  readonly method: string | undefined
  readonly enctype: string | undefined
  readonly novalidate: boolean
}

/** One control of a form as the page delivered it; `options` are the values that a select or radio group offers. */
export interface Control {
  readonly name: string
  readonly type: string
  readonly value: string
  readonly checked: boolean
  readonly multiple: boolean
  readonly options: readonly { readonly value: string; readonly selected: boolean }[]
  readonly autocomplete: string
  readonly readonly: boolean
  readonly required: boolean
  readonly minlength: number
  readonly maxlength: number
  readonly pattern: string | undefined
}

/** A form with its enabled, named controls. `action` is absolute; `method` and `enctype` are lower case. */
export interface Form {
  readonly action: string
  readonly method: string
  readonly enctype: string
  readonly novalidate: boolean
  readonly controls: readonly Control[]
  readonly buttons: readonly Button[]
}

export interface Link {
  readonly href: string
  readonly text: string
}

export interface Document {
  readonly title: string
  readonly text: string
  readonly forms: readonly Form[]
  readonly links: readonly Link[]
  readonly referrerPolicy: string | undefined
}

const UNSEEN = new Set(['head', 'script', 'style', 'template', 'noscript', 'datalist'])
const BUTTON_TYPES = new Set(['submit', 'image', 'button', 'reset'])

const isElement = (node: Node): node is Element => 'tagName' in node
const childrenOf = (node: Node): Node[] => ('childNodes' in node ? node.childNodes : [])
const attribute = (element: Element, name: string): string | undefined =>
  element.attrs.find((candidate) => candidate.name === name)?.value
const has = (element: Element, name: string): boolean => attribute(element, name) !== undefined
const collapse = (text: string): string => text.replaceAll(/\s+/g, ' ').trim()

function elementsOf(node: Node): Element[] {
  const children = childrenOf(node).filter(isElement)
  return children.flatMap((child) => [child].concat(elementsOf(child)))
}

function rawText(node: Node): string {
  if (node.nodeName === '#text' && 'value' in node) return node.value
  if (isElement(node) && UNSEEN.has(node.tagName)) return ' '
  const text = childrenOf(node).map(rawText).join('')
  return isElement(node) && !['a', 'b', 'bdi', 'code', 'em', 'i', 'span', 'strong'].includes(node.tagName)
    ? ` ${text} `
    : text
}

const textOf = (node: Node): string => collapse(rawText(node))

function ancestorsOf(element: Element): Element[] {
  const found: Element[] = []
  for (let node = element.parentNode; node && isElement(node); node = node.parentNode) found.push(node)
  return found
}

/** HTML "form owner": the form named by the `form` attribute, else the nearest ancestor. */
function ownerOf(element: Element, all: readonly Element[]): Element | undefined {
  const id = attribute(element, 'form')
  if (id !== undefined) return all.find((other) => other.tagName === 'form' && attribute(other, 'id') === id)
  return ancestorsOf(element).find((other) => other.tagName === 'form')
}

const isDisabled = (element: Element): boolean =>
  has(element, 'disabled') ||
  ancestorsOf(element).some((other) => other.tagName === 'fieldset' && has(other, 'disabled'))

function optionsOf(select: Element): Control['options'] {
  const options = elementsOf(select).filter((element) => element.tagName === 'option' && !isDisabled(element))
  const isChosen = has(select, 'multiple') || options.some((option) => has(option, 'selected'))
  return options.map((option, index) => ({
    value: attribute(option, 'value') ?? textOf(option),
    // A drop-down list without a chosen option shows, and submits, its first one.
    selected: isChosen ? has(option, 'selected') : index === 0,
  }))
}

function controlOf(element: Element): Control {
  const type = element.tagName === 'input' ? (attribute(element, 'type') ?? 'text').toLowerCase() : element.tagName
  const isTick = type === 'checkbox' || type === 'radio'
  const text = element.tagName === 'textarea' ? childrenOf(element).map(rawText).join('') : undefined
  return {
    name: attribute(element, 'name') ?? '',
    type,
    value: text ?? attribute(element, 'value') ?? (isTick ? 'on' : ''),
    checked: has(element, 'checked'),
    multiple: has(element, 'multiple'),
    options: element.tagName === 'select' ? optionsOf(element) : [],
    autocomplete: (attribute(element, 'autocomplete') ?? '').toLowerCase(),
    readonly: has(element, 'readonly'),
    required: has(element, 'required'),
    minlength: Number(attribute(element, 'minlength') ?? 0),
    maxlength: Number(attribute(element, 'maxlength') ?? Infinity),
    pattern: attribute(element, 'pattern'),
  }
}

function buttonOf(element: Element): Button {
  const value = attribute(element, 'value')
  return {
    name: attribute(element, 'name'),
    value: value ?? '',
    label: element.tagName === 'input' ? (value ?? 'Submit') : textOf(element),
    action: attribute(element, 'formaction'),
    method: attribute(element, 'formmethod')?.toLowerCase(),
    enctype: attribute(element, 'formenctype')?.toLowerCase(),
    novalidate: has(element, 'formnovalidate'),
  }
}

const isButton = (element: Element): boolean =>
  element.tagName === 'button' || (element.tagName === 'input' && BUTTON_TYPES.has(attribute(element, 'type') ?? ''))

const isSubmitButton = (element: Element): boolean =>
  isButton(element) &&
  (attribute(element, 'type') ?? (element.tagName === 'button' ? 'submit' : 'text')).toLowerCase() === 'submit'

function formOf(form: Element, all: readonly Element[], baseUrl: string): Form {
  const own = all.filter(
    (element) =>
      ['input', 'select', 'textarea', 'button'].includes(element.tagName) &&
      ownerOf(element, all) === form &&
      !isDisabled(element),
  )
  return {
    // An empty or missing action means the page itself.
    action: new URL(attribute(form, 'action') || baseUrl, baseUrl).href,
    method: (attribute(form, 'method') ?? 'get').toLowerCase(),
    enctype: (attribute(form, 'enctype') ?? 'application/x-www-form-urlencoded').toLowerCase(),
    novalidate: has(form, 'novalidate'),
    controls: own.filter((element) => !isButton(element) && attribute(element, 'name')).map(controlOf),
    buttons: own.filter(isSubmitButton).map(buttonOf),
  }
}

/** What a person sees of a page, and the forms and links they can use. Parsed by the rules of HTML (parse5). */
export function readDocument(html: string, baseUrl: string): Document {
  const all = elementsOf(parse(html))
  const body = all.find((element) => element.tagName === 'body')
  const title = all.find((element) => element.tagName === 'title')
  const referrer = all.find(
    (element) => element.tagName === 'meta' && attribute(element, 'name')?.toLowerCase() === 'referrer',
  )
  return {
    title: title ? collapse(childrenOf(title).map(rawText).join('')) : '',
    text: body ? textOf(body) : '',
    forms: all.filter((element) => element.tagName === 'form').map((form) => formOf(form, all, baseUrl)),
    links: all
      .filter((element) => element.tagName === 'a' && has(element, 'href'))
      .map((element) => ({
        href: new URL(attribute(element, 'href') ?? '', baseUrl).href,
        text: textOf(element),
      })),
    referrerPolicy: referrer && attribute(referrer, 'content'),
  }
}
