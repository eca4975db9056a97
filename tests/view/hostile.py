"""What a hostile sender may put into a mail. ``URL`` stands for an address that must never be asked for anything."""

from __future__ import annotations

URL = "http://127.0.0.1:1/"

# HTML that runs something, loads something, connects to somewhere, or breaks out of where it is shown.
VECTORS = {
    "script": "<script>new Image().src='URL'; top.document.title='broken'; alert(1)</script>",
    "script from elsewhere": "<script src='URL'></script>",
    "script in a broken tag": "<scr<script>ipt>alert(1)</scr</script>ipt>",
    "script in an SVG": "<svg><script>alert(1)</script><image href='URL' xlink:href='URL'/></svg>",
    "script in MathML": "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)></style></mglyph></table>",
    "event handler": "<img src=x onerror=\"fetch('URL')\"><body onload=alert(1)><p onmouseover='alert(1)'>x</p>",
    "event handler behind a slash": "<img/src=x/onerror=alert(1)><img src=x\x00onerror=alert(1)>",
    "event handler that starts at once": "<details open ontoggle=alert(1)>x</details><b autofocus onfocus=alert(1)>",
    "javascript: address": "<a href='javascript:alert(1)' autofocus>x</a><iframe src='javascript:alert(1)'></iframe>",
    "javascript: with entities": "<a href='&#106;avascript&colon;alert(1)'>x</a><img src='java\tscript:alert(1)'>",
    "image": "<img src='URL'><img srcset='URL 2x'><img src=//127.0.0.1:1/><picture><source srcset='URL'></picture>",
    "image with an old attribute": "<body background='URL'><table background='URL'><img lowsrc='URL' dynsrc='URL'>",
    "style": "<style>@import 'URL'; @import url(URL); body { background: url('URL') } @font-face "
    "{ font-family: x; src: url(URL) } p { font-family: x; list-style: url(URL) }</style><p>x</p>",
    "style in an attribute": "<p style=\"background: url('URL')\">x</p><p style='background:u\\72l(URL)'>x</p>",
    "style with comments and escapes": "<style>p{background:url/**/(URL)} p{background:\\75 rl(URL)} "
    "@\\69mport 'URL'; p{background:image-set('URL' 1x)}</style><p>x</p>",
    "end of a style": "<style></style\x0c><script>alert(1)</script></style><style>a{}</sty</style><img src='URL'>",
    "link": "<link rel=stylesheet href='URL'><link rel=preconnect href='URL'><link rel=dns-prefetch href='URL'>"
    "<link rel=prefetch href='URL'><link rel=icon href='URL'><link rel=preload as=image href='URL'>",
    "meta": "<meta http-equiv=refresh content='0;url=URL'><meta http-equiv=set-cookie content=a=b>"
    "<meta http-equiv=Content-Security-Policy content=''>",
    "base": "<base href='URL'><img src=relative.png><a href=relative>x</a>",
    "frame": "<iframe src='URL'></iframe><frameset><frame src='URL'>",
    "frame with a document": '<iframe srcdoc="<script>alert(1)</script>"></iframe>',
    "object": "<object data='URL'></object><embed src='URL'><applet code='URL'></applet>",
    "media": "<video src='URL' poster='URL' autoplay></video><audio src='URL' autoplay></audio><track src='URL'>",
    "form": "<form action='URL' id=f><input name=a><button formaction='URL'>x</button></form>"
    "<input type=image src='URL'><isindex action='URL'>",
    "ping": "<a href='URL' ping='URL'>x</a><area href='URL' ping='URL'>",
    "end of the frame": "</iframe></body></html>\"><script>alert(1)</script>\"' --><img src='URL'>",
    "end of the attribute": '" onload="alert(1)" x="<img src=\'URL\'>',
    "end of a text area": "</textarea></title></noscript></xmp><script>alert(1)</script>",
    "no script": "<noscript><p title=\"</noscript><img src='URL' onerror=alert(1)>\"></noscript>",
    "template": "<template><script>alert(1)</script><img src='URL'></template>",
    "comment": "<!--><img src='URL' onerror=alert(1)>--><!-- --!><img src='URL'>--><![CDATA[><img src='URL'>]]>",
    "declaration": "<!DOCTYPE x [<!ENTITY y SYSTEM 'URL'>]>&y;<?xml-stylesheet href='URL'?><?import namespace=t>",
    "select": "<select><style></select><img src='URL' onerror=alert(1)></style></select>",
    "plain text": "<plaintext><img src='URL'></plaintext><listing><img src=x onerror=alert(1)></listing>",
    "open tag at the end": "<p>x</p><img src='URL' onerror='alert(1)'",
    "full-width and overlong": "\uff1cscript\uff1ealert(1)\uff1c/script\uff1e<\u017fcript>alert(1)</\u017fcript>",
    "data: with SVG": "<img src='data:image/svg+xml,<svg onload=alert(1)>'>",
    "data: with HTML": "<a href='data:text/html,<script>alert(1)'>x</a>",
    "popup": "<a href='URL' target=_top>x</a><a href='URL' target=_blank>x</a>",
    "dialog": "<dialog open>x</dialog><p popover id=a>x</p><button popovertarget=a>x</button>",
    "shadow root": "<div><template shadowrootmode=open><script>alert(1)</script><img src='URL'></template></div>",
    "speculation": '<script type=speculationrules>{"prefetch": [{"source": "list", "urls": ["URL"]}]}</script>',
}

# For every other place: a subject, an address, a file name, the text.
MARKUP = "</title></pre></code></style></summary></td>\"'><script>alert(1)</script><img src=URL onerror=alert(1)><!--"
