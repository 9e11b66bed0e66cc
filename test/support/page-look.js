// Runs in the page (test/web/chromium-look.test.ts). Answers with what is wrong with how the page is laid out.
;(() => {
  const TARGET_PX = 44
  const faults = []
  const root = document.documentElement
  const width = root.clientWidth
  if (root.scrollWidth > width) faults.push(`scrolls sideways: ${root.scrollWidth} px in ${width} px`)

  const name = (element) => {
    const text = (element.textContent || element.getAttribute('name') || '').trim().slice(0, 40)
    return `<${element.tagName.toLowerCase()}> ${JSON.stringify(text)}`
  }

  // Text outside of its card, or cut off by what it is in.
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
  for (let node = texts.nextNode(); node !== null; node = texts.nextNode()) {
    if (node.data.trim() === '') continue
    const range = document.createRange()
    range.selectNodeContents(node)
    const frame = node.parentElement.closest('main, header').getBoundingClientRect()
    for (const rect of range.getClientRects()) {
      if (rect.left < frame.left - 1 || rect.right > frame.right + 1)
        faults.push(`outside: ${name(node.parentElement)}`)
    }
  }
  for (const element of document.querySelectorAll('main, main *')) {
    const { overflowX, overflowY } = getComputedStyle(element)
    const cuts = overflowX !== 'visible' || overflowY !== 'visible'
    const isCut = element.scrollWidth > element.clientWidth + 1 || element.scrollHeight > element.clientHeight + 1
    // What is longer than an input scrolls within it, and a choice is whole where it is made.
    if (cuts && isCut && !['INPUT', 'SELECT'].includes(element.tagName) && !element.closest('svg'))
      faults.push(`cut: ${name(element)}`)
  }

  // WCAG 2.2, 2.5.5: all but links within a sentence.
  const isInSentence = (element) =>
    element.tagName === 'A' &&
    getComputedStyle(element).display === 'inline' &&
    element.parentElement.textContent.trim() !== element.textContent.trim()
  for (const element of document.querySelectorAll('a[href], button, select, input:not([type=hidden])')) {
    const rect = element.getBoundingClientRect()
    if (!isInSentence(element) && (rect.width < TARGET_PX || rect.height < TARGET_PX)) {
      faults.push(`small: ${name(element)} ${Math.round(rect.width)} × ${Math.round(rect.height)}`)
    }
  }
  return [...new Set(faults)]
})()
