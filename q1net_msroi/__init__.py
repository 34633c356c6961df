"""Q1Net and MSROI: how strongly was a picture JPEG-compressed, and where should its bytes go?

The links beside this file make one package of the repository's folders: code, tests and type checkers import
`q1net_msroi.classifier` here as in the wheel, into which the links' targets are copied. So one name is installed.
"""
